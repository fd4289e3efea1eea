-- Pauses the schedule $1 for the reason $2, or lets it go on where that is null; $3 the time. What would have ticked meanwhile
-- wasn't missed.
update @schedule
set paused = $2::text, generation = generation + 1,
    last = case when $2 is null then greatest(last, coalesce($3::timestamptz, statement_timestamp())) else last end,
    waiting = case when $2 is not null then waiting end
where name = $1::text and paused is distinct from $2
