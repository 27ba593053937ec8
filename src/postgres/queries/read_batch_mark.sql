SELECT EXISTS (SELECT FROM event WHERE id = $1::bigint AND epoch = $2::bigint) AS written
