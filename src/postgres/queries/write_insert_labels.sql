INSERT INTO job_label (label, number)
SELECT label, number FROM unnest($1::text[], $2::bigint[]) AS t (label, number)
ON CONFLICT DO NOTHING
