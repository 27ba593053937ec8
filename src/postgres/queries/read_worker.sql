SELECT * FROM worker_row WHERE id = $1::bigint
