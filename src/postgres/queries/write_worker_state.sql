UPDATE worker w
   SET state = m.state, reason = m.reason, ended_at = m.ended_at, notice_until = coalesce(w.notice_until, m.notice_until)
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
       AS m (id, state, reason, ended_at, notice_until)
 WHERE w.id BETWEEN m.id AND m.id
