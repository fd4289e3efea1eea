-- Pauses the schedule $1, or lets it go on, as $2 says; $3 the time. What would have ticked meanwhile wasn't missed.
update @schedule
set paused = $2::boolean, generation = generation + 1,
    last = case when $2 then last else greatest(last, coalesce($3::timestamptz, statement_timestamp())) end,
    waiting = case when $2 then waiting end
where name = $1::text and paused <> $2
