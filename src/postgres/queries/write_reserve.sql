SELECT setval('job_number', nextval('job_number') + $1::bigint - 1) - $1::bigint + 1
