-- How many µs until the next gate opens; $1 the time. Of those that were due before $2, when others were looked at, only whether there
-- are any: somebody had them locked.
select (select ceil(extract(epoch from opens - coalesce($1::timestamptz, statement_timestamp())) * 1000000)::bigint
        from @gate
        where opens >= $2::timestamptz
        order by opens
        limit 1) as next,
       exists (select from @gate where opens < $2) as locked
