SELECT * FROM launch_row WHERE bootstrap_hash = $1::bytea
