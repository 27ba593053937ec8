
# ---- What the daemon is told of an attempt ---------------------------------------------------------------------------

# The end of an attempt, as far as the daemon is concerned: logs, artifacts, report.
finish() { # OUTCOME REASON [CODE]
  local outcome=$1 why=$2 code=${3:-} rc=0 artifacts=() ended_by=$intent
  list_artifacts
  if ((${#artifacts[@]} == 0)) && [[ -z $notes ]]; then
    if report_at_once "$(finish_body "$outcome" "$why" "$code")"; then return 0; fi
  fi
  clock
  uploading=1 upload_started=$now
  send_files || rc=$?
  uploading=0
  if ((rc == 2)); then return 2; fi
  if ((rc == 9)); then uploads_ended; fi
  if [[ -n $faults ]]; then count_faults; fi
  persist send_report finish "$(finish_body "$outcome" "$why" "$code")"
}

# What could not be kept is said in the job's own log, after all else. Returns 2 and 9 as persist does.
send_files() {
  local stream rc
  for stream in stdout stderr; do
    rc=0
    persist send_stream "$stream" || rc=$?
    if ((rc == 2 || rc == 9)); then return "$rc"; fi
  done
  rc=0
  upload_artifacts || rc=$?
  case $rc in
    5) outcome=infra why='the machine could not send the artifacts' ;;
    2 | 9) return "$rc" ;;
  esac
  if [[ -n $notes ]]; then persist send_stream stderr; fi
}

# A stop or a timeout came while the files were sent, or has waited for them long enough.
uploads_ended() {
  if [[ $intent == "$ended_by" ]]; then
    add_fault 'its files were not all sent in time'
  elif [[ $intent == stop ]]; then
    outcome=stopped why=''
  else
    outcome=failure why="timed out after $job_timeout_s s, while its files were sent"
  fi
}

# A success whose files could not all be kept becomes a failure.
count_faults() {
  if [[ $outcome == succeeded ]]; then
    outcome=failure
  elif [[ $outcome == failure && -z $why && -n ${signal:-} ]]; then
    why="killed by signal $signal (SIG$(kill -l "$signal"))"
  elif [[ $outcome == failure && -z $why ]]; then
    why="exit code $code"
  fi
  why+=${why:+; }$faults
}

# Small logs and the report in one curl, which stops at the first refusal. All of it may be repeated, so when it fails
# the long way follows.
report_at_once() { # BODY
  local sizes size rc=0 one two three arguments=()
  if [[ -e $dir/stdout.sent || -e $dir/stderr.sent ]] || ((${#out_rest[@]} + ${#err_rest[@]} > 0)); then return 1; fi
  if [[ -s $dir/stdout || -s $dir/stderr ]]; then
    sizes=$(stat -c %s "$dir/stdout" "$dir/stderr") || return 1
    for size in $sizes; do if ((size > chunk_bytes)); then return 1; fi; done
  fi
  exec {one}< <(printf '%s\n' "$auth") {two}< <(printf '%s\n' "$auth") {three}< <(printf '%s\n' "$auth")
  add_log stdout "$one"
  add_log stderr "$two"
  arguments+=("${request[@]}" -f -K "/dev/fd/$three" --max-time 30 -o /dev/null)
  curl -q --fail-early "${arguments[@]}" "${json_body[@]}" "$1" "$attempt_url/finish" 2>/dev/null || rc=$?
  exec {one}<&- {two}<&- {three}<&-
  return "$rc"
}

add_log() { # STREAM DESCRIPTOR
  if [[ ! -s $dir/$1 ]]; then return; fi
  arguments+=("${request[@]}" -f -K "/dev/fd/$2" --max-time 30 -o /dev/null "${raw_body[@]}" "@$dir/$1"
    "$attempt_url/logs/$1?offset=0" --next)
}

finish_body() { # OUTCOME REASON CODE
  local body="{\"outcome\":\"$1\""
  if [[ -n $3 ]]; then
    if [[ -n $signal ]]; then body+=",\"signal\":$signal"; else body+=",\"exit_code\":$3"; fi
  fi
  if [[ -n $2 ]]; then body+=",\"reason\":$(json "$2")"; fi
  printf '%s}' "$body"
}

# A report is tried again also when the fault is this machine's: there is nothing else to be done.
send_report() { # finish|release BODY
  call 30 "${json_body[@]}" "$2" "$attempt_url/$1" </dev/null
  if [[ -n $fault ]]; then return 1; fi
  verdict
}

# Gives the attempt back to the queue. The checkpoint is sent first, since time may be short.
release() {
  local body
  keep_checkpoint
  if (($? == 2)); then return; fi
  send_stream stdout && send_stream stderr
  if [[ -n $notice ]]; then
    body="{\"reason\":\"interruption notice\",\"notice\":$(json "$notice")}"
  else
    body='{"reason":"the worker was told to end"}'
  fi
  persist send_report release "$body"
}
