
# ---- What comes to the main loop -------------------------------------------------------------------------------------

on_claim_answer() { # OUTCOME DELAY
  clock
  case $1 in
    ok)
      claim_jobs=0 claim_drain=0 claim_nonce='' claim_delay=0
      # shellcheck source=/dev/null
      . "$base/claim.sh"
      if [[ $claim_drain == 1 ]]; then draining=1; fi
      # A daemon that does not hold the poll is not to be asked without a pause.
      if ((claim_jobs == 0 && now < claim_started + 100)); then task_due[claim]=$((now + 100)); fi
      ;;
    401 | 404) unknown=1 ;;
    *)
      # The same nonce again: the answer that was lost may have held jobs.
      claim_delay=$2
      task_due[claim]=$((now + $2 * 100))
      ;;
  esac
}

on_beat_answer() { # OUTCOME
  local key slot
  clock
  if [[ $1 == 401 || $1 == 404 ]]; then unknown=1; fi
  if [[ $1 != ok ]]; then return; fi
  heartbeat_drain=0 heartbeat_stop=()
  # shellcheck source=/dev/null
  . "$base/beat.sh"
  if [[ $heartbeat_drain == 1 ]]; then draining=1; fi
  for key in ${heartbeat_stop[@]+"${heartbeat_stop[@]}"}; do
    for slot in "${!slot_job[@]}"; do
      if [[ ${slot_job[slot]}/${slot_attempt[slot]} == "$key" ]]; then end_slot "$slot" stop; fi
    done
  done
}

handle() { # EVENT
  if [[ -n ${task_pid[$1]+task} ]]; then task_pid[$1]=''; fi
  case $1 in
    claim) on_claim_answer "$2" "$3" ;;
    beat)
      if [[ ${4:-} == noticed ]]; then notice_told=1; fi
      on_beat_answer "$2"
      ;;
    notice) if [[ $2 == 200 ]]; then on_notice; fi ;;
    started) on_started "$2" "$3" "$4" ;;
    exited) slot_timeout_at[$2]=0 ;;
    ended) slot_pid[$2]='' ;;
    closed) slot_job[$2]='' slot_pid[$2]='' ;;
    gone)
      clock
      if [[ ${slot_job[$2]}/${slot_attempt[$2]} == "$3" ]]; then end_slot "$2" lost; fi
      ;;
  esac
}
