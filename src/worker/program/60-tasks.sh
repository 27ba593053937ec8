
# ---- Tasks beside the main loop --------------------------------------------------------------------------------------

start_task() { # TASK ARGUMENT...: unless it is already under way
  local task=$1
  shift
  if [[ -n ${task_pid[$task]} ]]; then return; fi
  "run_$task" "$@" &
  task_pid[$task]=$!
}

# Tells the main loop: ok, or the status; after how many seconds to try again; and how long the answer is, which follows
# through a pipe.
finish_task() { # TASK
  local LC_ALL=C outcome=$status
  delay=$claim_delay
  if is_script; then outcome=ok; else back_off; fi
  emit "$1" "$outcome" "$delay" ${#text} "${notice:+noticed}"
  if [[ $outcome == ok ]]; then printf '%s' "$text" >&"${task_pipe[$1]}"; fi
}

# A machine with a full disk takes no jobs, which it could only give back. When nothing of its own is left that could be
# using the room, it is of no use any more.
has_room() {
  if { head -c "$chunk_bytes" /dev/zero >"$base/room" && rm "$base/room"; } 2>/dev/null; then
    full=0
    return 0
  fi
  rm -f "$base/room"
  task_due[claim]=$((now + full_interval))
  if ((full == 0)); then say "no room for jobs: $base"; fi
  full=$((open == 0 ? full + 1 : 1))
  if ((full > full_tries)); then leave 1; fi
  return 1
}

run_claim() { # FREE
  local told=0 curl_pid=''
  open_answers
  # Ended early, the connection must close, so that the daemon claims nothing for it.
  trap 'told=1; if [[ -n $curl_pid ]]; then kill "$curl_pid" 2>/dev/null; fi' TERM
  watch=is_told
  call $((claim_wait_s + 10)) "${json_body[@]}" "{\"nonce\":\"$claim_nonce\",\"slots\":$1,\"wait_s\":$claim_wait_s}" \
    "$url/workers/$worker_id/claim"
  finish_task claim
}

is_told() { ((told == 1)); }

run_beat() {
  local body='{"attempts":[' slot separator=''
  open_answers
  for slot in "${!slot_job[@]}"; do
    if [[ -z ${slot_job[slot]} ]]; then continue; fi
    body+="$separator{\"job\":${slot_job[slot]},\"attempt\":${slot_attempt[slot]},\"token\":\"${slot_token[slot]}\"}"
    separator=,
  done
  body+=']'
  if [[ -n $notice ]]; then body+=",\"notice\":$(json "$notice")"; fi
  call 10 "${json_body[@]}" @- "$url/workers/$worker_id/heartbeat" < <(printf '%s}' "$body")
  finish_task beat
}
