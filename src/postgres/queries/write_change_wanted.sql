WITH c AS (
  SELECT *
    FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[]) AS t (number, wanted, at, kind)
), e AS (
  INSERT INTO event (id, at, epoch, job, kind, detail)
  SELECT $5::bigint + row_number() OVER (), at, $6::bigint, number, kind, 'stopping' FROM c
)
UPDATE lease l SET wanted = c.wanted FROM c WHERE l.number BETWEEN c.number AND c.number
