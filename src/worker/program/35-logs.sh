
# ---- Logs ------------------------------------------------------------------------------------------------------------

# send_log STREAM CHUNKS: ships what is new, at most so many chunks. The file STREAM.sent holds the offset.
send_log() {
  local file=$dir/$1 left=$2 offset=0 size chunk
  if [[ ! -s $file ]]; then return 0; fi
  if [[ -s $file.sent ]]; then read -r offset <"$file.sent"; fi
  size=$(stat -c %s "$file") || return 0
  while ((offset < size && left-- > 0)); do
    chunk=$((size - offset < chunk_bytes ? size - offset : chunk_bytes))
    call 120 "$answer" "${raw_body[@]}" @- "$attempt_url/logs/$1?offset=$offset" \
      < <(tail -c "+$((offset + 1))" "$file" | head -c "$chunk")
    if [[ $status == 409 && $(<"$answer") =~ \"next_offset\"[[:space:]]*:[[:space:]]*([0-9]+) ]]; then
      if ((BASH_REMATCH[1] == offset)); then return 1; fi
      offset=${BASH_REMATCH[1]}
    else
      verdict || return
      offset=$((offset + chunk))
    fi
    printf '%s\n' "$offset" >"$file.sent"
  done
}

has_new_log() { # SLOT
  local stream file
  for stream in stdout stderr; do
    file=${slot_dir[$1]}/$stream
    if [[ -s $file && ! $file.sent -nt $file ]]; then return 0; fi
  done
  return 1
}

run_ship() {
  local slot stream rc dir answer attempt_url auth
  for slot in "${!slot_job[@]}"; do
    if [[ -z ${slot_pid[slot]:-} ]] || ! has_new_log "$slot"; then continue; fi
    dir=${slot_dir[slot]} auth=${slot_dir[slot]}/auth answer=$base/ship.answer
    attempt_url=$url/jobs/${slot_job[slot]}/attempts/${slot_attempt[slot]}
    for stream in stdout stderr; do
      rc=0
      send_log "$stream" 8 2>/dev/null || rc=$?
      if ((rc == 2)); then emit gone "$slot" "${slot_job[slot]}/${slot_attempt[slot]}"; fi
      if ((rc == 1)); then break 2; fi
    done
  done
  emit ship ok
}
