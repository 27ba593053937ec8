SELECT * FROM worker_row WHERE id = ANY ($1::bigint[])
