
# ---- The main loop ---------------------------------------------------------------------------------------------------

main_loop() {
  local event line part='' open=0 checked=0
  while :; do
    clock
    open_attempts
    if ((terminated == 1 && going == 0)); then on_terminated; fi
    if ((now >= checked + 100)); then
      checked=$now
      check_slots
      check_helpers
    fi
    if ((unknown == 1 && going == 0)); then start_over || return 1; fi
    if is_over; then return 0; fi
    start_due_tasks
    if read_line "$events" 1; then
      set -f
      # shellcheck disable=SC2206  # words
      event=($line)
      set +f
      handle "${event[@]}"
    fi
  done
}

start_due_tasks() {
  local slot
  if ((draining == 0 && unknown == 0 && going == 0 && open < slots && now >= task_due[claim])); then
    if [[ -z ${task_pid[claim]} ]]; then claim_started=$now; fi
    if [[ -z $claim_nonce ]]; then random_id claim_nonce; fi
    if [[ -n ${task_pid[claim]} ]] || has_room; then start_task claim $((slots - open)); fi
  elif ((draining == 1 || unknown == 1 || going == 1)); then
    if [[ -n ${task_pid[claim]} ]]; then kill -s TERM "${task_pid[claim]}" 2>/dev/null; fi
  fi
  if ((now >= task_due[beat])) && [[ -z ${task_pid[beat]} ]]; then
    start_task beat
    task_due[beat]=$((now + heartbeat_interval_s * 100))
  fi
  if ((now >= task_due[ship])); then
    task_due[ship]=$((now + log_interval))
    for slot in "${!slot_job[@]}"; do
      if [[ -n ${slot_pid[slot]:-} ]] && has_new_log "$slot"; then start_task ship; fi
    done
  fi
  if ((has_imds == 1 && now >= task_due[notice])) && [[ -z $notice ]]; then
    start_task notice
    task_due[notice]=$((now + worker_notice_poll_s * 100))
  fi
}

# A helper process sends its event before it ends. If it is dead and no event waits, it died without sending one.
died_silently() { ! kill -0 "$1" 2>/dev/null && ! read -r -t 0 -u "$events"; }

# A helper that was killed (out of memory) must not hold its place for ever. An attempt that is not listed any more goes
# back to the queue by itself.
check_helpers() {
  local task slot
  for task in "${!task_pid[@]}"; do
    if [[ -n ${task_pid[$task]} ]] && died_silently "${task_pid[$task]}"; then task_pid[$task]=''; fi
  done
  for slot in "${!slot_job[@]}"; do
    if [[ -n ${slot_job[slot]} ]] && died_silently "${slot_runner[slot]}"; then
      say "the runner of job ${slot_job[slot]} is gone"
      kill_job "${slot_dir[slot]}" "${slot_pid[slot]}" "${slot_born[slot]}"
      slot_job[slot]='' slot_pid[slot]=''
    fi
  done
}

# The daemon does not know this worker any more, so the attempts are not this worker's. Once they have ended it may
# register again.
start_over() {
  local slot
  for slot in "${!slot_job[@]}"; do if [[ -n ${slot_job[slot]} ]]; then end_slot "$slot" lost; fi; done
  if ((open > 0)) || [[ -n ${task_pid[claim]}${task_pid[beat]} ]]; then return 0; fi
  register || return 1
  unknown=0 claim_nonce=''
}

# True when there is nothing left to do here.
is_over() {
  # A machine may live on after its notice's time, and so may the attempts on it.
  if ((going == 1 && now >= deadline)) && [[ -z $notice ]]; then return 0; fi
  if ((open > 0)) || [[ -n ${task_pid[claim]} ]]; then return 1; fi
  if [[ -n $notice ]]; then ((notice_told == 1)); else ((draining == 1 || going == 1)); fi
}

leave() { # CODE
  trap - EXIT
  end_attempts
  remove "$base"
  if [[ -n $cgroups ]]; then rmdir "$cgroups/${base##*/}".* 2>/dev/null; fi
  if [[ -n $notice ]]; then await_end_of_machine; fi
  if [[ -n $on_exit ]]; then /bin/sh -c "$on_exit"; fi
  if [[ $shut_down == 1 && -z $notice ]]; then shutdown -h now; fi
  exit "$1"
}

end_attempts() {
  local slot
  for slot in "${!slot_job[@]}"; do
    if [[ -z ${slot_job[slot]} ]]; then continue; fi
    kill -s KILL "${slot_runner[slot]}" 2>/dev/null
    kill_job "${slot_dir[slot]}" "${slot_pid[slot]}" "${slot_born[slot]}"
  done
}

# A spot machine that its own worker shut down after a notice would have ended by its user, and not by the interruption.
await_end_of_machine() {
  local sleeper=''
  while ((terminated == 0)); do
    sleep 5 &
    sleeper=$!
    wait "$sleeper"
  done
  if [[ -n $sleeper ]]; then kill "$sleeper" 2>/dev/null; fi
}
