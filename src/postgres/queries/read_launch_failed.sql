SELECT * FROM launch_row WHERE pool = $1::bigint AND error <> '' ORDER BY id DESC LIMIT 1
