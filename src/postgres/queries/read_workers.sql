SELECT * FROM worker_row WHERE id < $1::bigint ORDER BY id DESC LIMIT $2::bigint
