SELECT * FROM launch_row WHERE state = 'intended'
UNION ALL
SELECT * FROM launch_row WHERE state = 'fulfilled' AND changed_at > now() - interval '1 hour'
