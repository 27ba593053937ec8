SELECT make_partitions(($1::timestamptz AT TIME ZONE 'UTC')::date + $2::integer) AS made
