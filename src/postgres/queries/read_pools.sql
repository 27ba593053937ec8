SELECT id, version, blocked_reason, spec FROM pool ORDER BY name
