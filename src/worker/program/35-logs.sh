
# ---- Logs ------------------------------------------------------------------------------------------------------------

# Sets the parts that a stream consists of: files, of which so much is skipped, and texts. A running job's has but one,
# the first half.
lay_parts() { # STREAM [LINE...]: the lines of its reader
  local stream=$1 line size
  size=$(stat -c %s "$dir/$stream" 2>/dev/null) || size=0
  part_file=("$dir/$stream") part_skip=(0) part_size=("$size") part_text=('')
  shift
  for line; do
    if [[ $line =~ ^piece\ ([0-9]+)\ ([0-9]+)\ ([0-9]+)$ ]]; then
      add_part "$dir/$stream.${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}" ''
    elif [[ $line =~ ^missing\ ([0-9]+|some)\ ([0-2])$ ]]; then
      case ${BASH_REMATCH[2]} in
        0) line="a log has at most $job_max_log_bytes bytes" ;;
        1) line='no room on the disk' ;;
        2) line='who read them was killed' ;;
      esac
      add_text $'\n'"[drover: ${BASH_REMATCH[1]} bytes are missing here: $line]"$'\n'
    fi
  done
}

add_part() { # FILE SKIP SIZE TEXT
  part_file+=("$1") part_skip+=("$2") part_size+=("$3") part_text+=("$4")
}

add_text() {
  local LC_ALL=C
  add_part '' 0 ${#1} "$1"
}

print_part() { # PART OFFSET BYTES
  local LC_ALL=C text=${part_text[$1]}
  if [[ -n ${part_file[$1]} ]]; then
    tail -c "+$((part_skip[$1] + $2 + 1))" "${part_file[$1]}" | head -c "$3"
  else
    printf '%s' "${text:$2:$3}"
  fi
}

# send_log STREAM CHUNKS: ships what is new of the parts, at most so many chunks. The file STREAM.sent holds the offset.
send_log() {
  local left=$2 offset=0 start=0 part=0 size chunk next
  if [[ -s $dir/$1.sent ]]; then read -r offset <"$dir/$1.sent"; fi
  while ((left-- > 0)); do
    while ((part < ${#part_size[@]} && offset >= start + part_size[part])); do ((start += part_size[part++], 1)); done
    if ((part == ${#part_size[@]})); then return 0; fi
    chunk=$((start + part_size[part] - offset))
    chunk=$((chunk < chunk_bytes ? chunk : chunk_bytes))
    call 120 "${raw_body[@]}" @- "$attempt_url/logs/$1?offset=$offset" \
      < <(print_part "$part" $((offset - start)) "$chunk")
    if [[ $status == 409 && $text =~ \"next_offset\"[[:space:]]*:[[:space:]]*([0-9]+) ]]; then
      next=${BASH_REMATCH[1]}
      if ((next == offset)); then return 1; fi
      if ((next < offset)); then part=0 start=0; fi
    else
      verdict || return
      next=$((offset + chunk))
      # Less was there than the file's size says: it cannot be read.
      if [[ $text =~ next_offset=([0-9]+) ]] && ((BASH_REMATCH[1] < next)); then return 3; fi
    fi
    offset=$next
    { printf '%s\n' "$offset" >"$dir/$1.sent"; } 2>/dev/null
  done
}

# All that there is of a stream, its job having ended.
send_stream() { # STREAM
  if [[ $1 == stdout ]]; then
    lay_parts stdout ${out_rest[@]+"${out_rest[@]}"}
  else
    lay_parts stderr ${err_rest[@]+"${err_rest[@]}"}
    add_text "$notes"
  fi
  send_log "$1" 1000000
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
  local slot stream rc dir attempt_url auth part_file part_skip part_size part_text
  open_answers
  for slot in "${!slot_job[@]}"; do
    if [[ -z ${slot_pid[slot]:-} ]] || ! has_new_log "$slot"; then continue; fi
    dir=${slot_dir[slot]}
    set_auth "$worker_token" "${slot_token[slot]}"
    attempt_url=$url/jobs/${slot_job[slot]}/attempts/${slot_attempt[slot]}
    for stream in stdout stderr; do
      rc=0
      lay_parts "$stream"
      send_log "$stream" 8 2>/dev/null || rc=$?
      if ((rc == 2)); then emit gone "$slot" "${slot_job[slot]}/${slot_attempt[slot]}"; fi
      if ((rc == 1)); then break 2; fi
    done
  done
  emit ship ok
}
