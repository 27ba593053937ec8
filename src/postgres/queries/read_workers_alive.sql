SELECT * FROM worker_row WHERE state <> 'gone' AND id < $1::bigint ORDER BY id DESC LIMIT $2::bigint
