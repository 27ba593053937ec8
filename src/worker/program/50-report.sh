
# ---- What the daemon is told of an attempt ---------------------------------------------------------------------------

# Small logs and the report in one curl, which stops at the first refusal. All of it may be repeated, so when it fails
# the long way follows.
report_at_once() { # BODY
  local stream sizes size arguments=()
  if [[ -e $dir/stdout.sent || -e $dir/stderr.sent || -e $dir/stdout.1 || -e $dir/stderr.1 ]]; then return 1; fi
  if [[ -s $dir/stdout || -s $dir/stderr ]]; then
    sizes=$(stat -c %s "$dir/stdout" "$dir/stderr") || return 1
    for size in $sizes; do if ((size > chunk_bytes)); then return 1; fi; done
  fi
  for stream in stdout stderr; do
    if [[ ! -s $dir/$stream ]]; then continue; fi
    arguments+=("${request[@]}" -f -K "$auth" --max-time 30 -o "$answer" "${raw_body[@]}" "@$dir/$stream"
      "$attempt_url/logs/$stream?offset=0" --next)
  done
  curl -q --fail-early ${arguments[@]+"${arguments[@]}"} "${request[@]}" -f -K "$auth" --max-time 30 -o "$answer" \
    "${json_body[@]}" "$1" "$attempt_url/finish" 2>/dev/null
}

# The end of an attempt, as far as the daemon is concerned: logs, artifacts, report.
finish() { # OUTCOME REASON [CODE]
  local outcome=$1 why=$2 code=${3:-} file rc files=()
  for file in "$dir/artifacts"/*; do if [[ -f $file ]]; then files+=("$file"); fi; done
  if ((${#files[@]} == 0)) && report_at_once "$(finish_body "$outcome" "$why" "$code")"; then return 0; fi
  for file in stdout stderr; do
    rc=0
    persist send_stream "$file" || rc=$?
    if ((rc == 2)); then return 2; fi
  done
  for file in ${files[@]+"${files[@]}"}; do
    rc=0
    persist upload "$file" "${file##*/}" || rc=$?
    if ((rc == 2)); then return 2; fi
    # A result that cannot be kept is no success.
    if ((rc == 3)) && [[ $outcome == succeeded ]]; then
      outcome=failure why="artifact ${file##*/} was refused (status $status)"
    fi
  done
  persist send_report finish "$(finish_body "$outcome" "$why" "$code")"
}

finish_body() { # OUTCOME REASON CODE
  local body="{\"outcome\":\"$1\""
  if [[ -n $3 ]]; then
    if [[ -n $signal ]]; then body+=",\"signal\":$signal"; else body+=",\"exit_code\":$3"; fi
  fi
  if [[ -n $2 ]]; then body+=",\"reason\":$(json "$2")"; fi
  printf '%s}' "$body"
}

send_report() { # finish|release BODY
  call 30 "$answer" "${json_body[@]}" "$2" "$attempt_url/$1"
  verdict
}

# Back to the queue. The checkpoint goes first: time may be short.
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
