
# ---- The slots -------------------------------------------------------------------------------------------------------

open_attempts() { # sets `open`
  local job
  open=0
  for job in ${slot_job[@]+"${slot_job[@]}"}; do if [[ -n $job ]]; then ((++open)); fi; done
}

# Called by a claim's answer, once for each of its jobs.
on_claim() {
  local slot=1 taken dir=$base/$job_number-$job_attempt
  for taken in "${!slot_job[@]}"; do
    if [[ ${slot_job[taken]}/${slot_attempt[taken]} == "$job_number/$job_attempt" ]]; then return; fi
  done
  while [[ -n ${slot_job[slot]:-} ]]; do ((++slot)); done
  slot_job[slot]=$job_number slot_attempt[slot]=$job_attempt slot_token[slot]=$job_token slot_dir[slot]=$dir
  slot_pid[slot]='' slot_born[slot]=0 slot_intent[slot]='' slot_kill_at[slot]=0 slot_timeout_at[slot]=0
  slot_timeout_s[slot]=$job_timeout_s
  write_intent "$slot" none 0
  # Too late, or more than was asked for: it goes back without having started.
  if ((going == 1 || slot > slots)); then
    clock
    write_intent "$slot" notice "$now" $((going == 1 ? deadline : now + stopped_notice_s * 100)) "$notice"
    slot_intent[slot]=notice
  fi
  run_attempt "$slot" "$dir" &
  slot_runner[slot]=$!
}

# The job of a slot is to end, for this reason. A stop replaces a notice (the job is not to be queued again), and a loss
# replaces everything.
end_slot() { # SLOT INTENT
  local slot=$1 intent=$2 old=${slot_intent[$1]} grace=$stop_grace
  if [[ $old == "$intent" || $old == lost || ($old != '' && $old != notice && $intent != lost) ]]; then return; fi
  slot_intent[slot]=$intent
  if [[ $intent == notice ]]; then
    # In the job's directory: whoever it runs as reads it.
    {
      printf '%s\n' "$notice_time" >"${slot_dir[slot]}/deadline.new" && chmod 644 "${slot_dir[slot]}/deadline.new" &&
        mv "${slot_dir[slot]}/deadline.new" "${slot_dir[slot]}/deadline"
    } 2>/dev/null
    # A quarter of the time that is left, at most 30 s, is for the checkpoint's upload.
    grace=$((deadline - now))
    grace=$((grace - (grace / 4 > 3000 ? 3000 : grace / 4)))
  fi
  if [[ -z $old ]] || ((slot_kill_at[slot] > now + grace)); then slot_kill_at[slot]=$((now + grace)); fi
  write_intent "$slot" "$intent" "${slot_kill_at[slot]}" "$deadline" "$notice"
  if [[ -z $old && -n ${slot_pid[slot]} ]]; then
    term_job "${slot_dir[slot]}" "${slot_pid[slot]}" "${slot_born[slot]}"
  fi
}

on_started() { # SLOT PID BORN
  clock
  slot_pid[$1]=$2 slot_born[$1]=$3
  if ((slot_timeout_s[$1] > 0)); then slot_timeout_at[$1]=$((now + slot_timeout_s[$1] * 100)); fi
  if [[ -n ${slot_intent[$1]} ]]; then term_job "${slot_dir[$1]}" "$2" "$3"; fi # it was to end before it had begun
}

check_slots() {
  local slot
  for slot in "${!slot_job[@]}"; do
    if [[ -z ${slot_job[slot]} ]]; then continue; fi
    if ((slot_timeout_at[slot] > 0 && now >= slot_timeout_at[slot])); then
      slot_timeout_at[slot]=0
      end_slot "$slot" timeout
    fi
    # Once the job's own process has ended, the runner sees to the rest.
    if ((slot_kill_at[slot] > 0 && now >= slot_kill_at[slot])) && is_same "${slot_pid[slot]:-none}" "${slot_born[slot]}"; then
      slot_kill_at[slot]=0
      kill_job "${slot_dir[slot]}" "${slot_pid[slot]}" "${slot_born[slot]}"
    fi
  done
}
