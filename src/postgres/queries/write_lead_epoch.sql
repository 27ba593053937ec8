UPDATE leader SET epoch = epoch + 1, started_at = now() RETURNING epoch
