SELECT * FROM worker_row WHERE instance_id = $1::text ORDER BY id DESC LIMIT 1
