
# ---- The interruption notice -----------------------------------------------------------------------------------------

run_notice() {
  look_for_notice
  emit notice "$status" "${text:0:1000}" # in one piece, as a pipe takes it
}

look_for_notice() { # sets status, 200 when there is one, and text
  imds meta-data/spot/instance-action
  if [[ $status == 401 ]] && imds_token; then imds meta-data/spot/instance-action; fi
  text=${text//[^ -~]/ }
}

on_notice() { # TEXT
  local left=$notice_default_s
  if [[ -n $notice ]]; then return; fi
  notice=$1
  if [[ $notice =~ \"time\"[[:space:]]*:[[:space:]]*\"([0-9TZ:.+-]+)\" ]]; then
    left=$(($(date -d "${BASH_REMATCH[1]}" +%s 2>/dev/null || echo 0) - $(date +%s)))
  fi
  say "interruption notice: $notice"
  # EC2 gives two minutes; anything else is the clock of this machine being wrong.
  go $((left > 0 && left <= 150 ? left : notice_default_s))
}

# The end of a machine with a notice may be what this is about, and the next look at the metadata seconds away: without
# the notice its jobs would be charged with the loss.
on_terminated() {
  if ((has_imds == 1)); then
    look_for_notice
    if [[ $status == 200 ]]; then on_notice "$text"; fi
  fi
  if ((going == 0)); then
    say 'told to end'
    go "$stopped_notice_s"
  fi
}

# The jobs are to be back in the queue before `deadline`.
go() { # SECONDS
  local slot
  clock
  going=1 deadline=$((now + $1 * 100))
  notice_time=$(date -u -d "+$1 seconds" +%Y-%m-%dT%H:%M:%SZ)
  for slot in "${!slot_job[@]}"; do if [[ -n ${slot_job[slot]} ]]; then end_slot "$slot" notice; fi; done
  task_due[beat]=0
}
