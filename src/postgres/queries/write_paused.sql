UPDATE scheduler SET paused = $1::boolean, changed_at = $2::timestamptz
