
# ---- Tasks beside the main loop --------------------------------------------------------------------------------------

start_task() { # TASK ARGUMENT...: unless it is already under way
  local task=$1
  shift
  if [[ -n ${task_pid[$task]} ]]; then return; fi
  "run_$task" "$@" &
  task_pid[$task]=$!
}

# Tells the main loop: ok, or the status, and after how many seconds to try again.
finish_task() { # TASK ANSWER
  local outcome=$status
  delay=$claim_delay
  if is_script; then outcome=ok; else back_off "$2"; fi
  emit "$1" "$outcome" "$delay" "${notice:+noticed}"
}

run_claim() { # FREE
  local curl_pid rc=0 info=$base/claim.info answer=$base/claim.sh
  : >"$answer"
  : >"$answer.head"
  curl -q "${request[@]}" -K "$auth" --max-time $((claim_wait_s + 10)) -D "$answer.head" -o "$answer" \
    -w '%{http_code} %{content_type}' "${json_body[@]}" \
    "{\"nonce\":\"$claim_nonce\",\"slots\":$1,\"wait_s\":$claim_wait_s}" "$url/workers/$worker_id/claim" \
    >"$info" 2>/dev/null &
  curl_pid=$!
  # Ended early, the connection must close, so that the daemon claims nothing for it.
  trap 'kill "$curl_pid" 2>/dev/null' TERM
  wait "$curl_pid" || rc=$?
  if ((rc > 128)); then
    rc=0
    wait "$curl_pid" || rc=$?
  fi
  status=000 answer_type=''
  if ((rc == 0)); then read -r status answer_type <"$info"; fi
  finish_task claim "$answer"
}

run_beat() {
  local body='{"attempts":[' slot separator=''
  for slot in "${!slot_job[@]}"; do
    if [[ -z ${slot_job[slot]} ]]; then continue; fi
    body+="$separator{\"job\":${slot_job[slot]},\"attempt\":${slot_attempt[slot]},\"token\":\"${slot_token[slot]}\"}"
    separator=,
  done
  body+=']'
  if [[ -n $notice ]]; then body+=",\"notice\":$(json "$notice")"; fi
  printf '%s}' "$body" >"$base/beat.json"
  call 10 "$base/beat.sh" "${json_body[@]}" "@$base/beat.json" "$url/workers/$worker_id/heartbeat"
  finish_task beat "$base/beat.sh"
}
