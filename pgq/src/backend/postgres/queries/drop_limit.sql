-- The limit $1 is gone if nobody declares it and nothing is set of it, which its gates are part of.
with dropped as (
  delete from @limit as known
  where name = $1::text and edition is null and not overridden
    and not exists (select from @gate where "limit" = known.name and overridden)
  returning name)
delete from @share where "limit" in (select name from dropped)
