
# ---- What comes to the main loop -------------------------------------------------------------------------------------

# A new pipe for the answers of a task whose last one was not taken: the rest of it, or all, would be taken for the next
# one, whose jobs would then never be started.
renew_pipe() { # TASK
  local pipe=${task_pipe[$1]}
  if [[ -n $pipe ]]; then exec {pipe}>&-; fi
  exec {pipe}<> <(:)
  task_pipe[$1]=$pipe
}

# Sets `text` to the answer that a task hands on. False when a part of it is missing.
take_answer() { # TASK BYTES
  local LC_ALL=C part tries=0
  text=''
  while ((${#text} < $2 && tries++ < 5)); do # a signal ends `read` before its time
    IFS= read -r -N $(($2 - ${#text})) -t 2 -u "${task_pipe[$1]}" part
    text+=$part
  done
  if ((${#text} != $2)); then
    renew_pipe "$1"
    return 1
  fi
}

on_claim_answer() { # OUTCOME DELAY BYTES
  local outcome=$1
  if [[ $outcome == ok ]] && ! take_answer claim "$3"; then outcome=000; fi
  clock
  case $outcome in
    ok)
      claim_jobs=0 claim_drain=0 claim_nonce='' claim_delay=0
      eval "$text"
      if [[ $claim_drain == 1 ]]; then draining=1; fi
      # The daemon is told at once that the answer has come.
      if ((claim_jobs > 0)); then task_due[beat]=0; fi
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

on_beat_answer() { # OUTCOME BYTES
  local key slot
  clock
  if [[ $1 == 401 || $1 == 404 ]]; then unknown=1; fi
  if [[ $1 != ok ]] || ! take_answer beat "$2"; then return; fi
  heartbeat_drain=0 heartbeat_stop=()
  eval "$text"
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
    claim) on_claim_answer "$2" "$3" "$4" ;;
    beat)
      if [[ ${5:-} == noticed ]]; then notice_told=1; fi
      on_beat_answer "$2" "$4"
      ;;
    notice) if [[ $2 == 200 ]]; then on_notice "${*:3}"; fi ;;
    started) on_started "$2" "$3" "$4" ;;
    ended) slot_pid[$2]='' ;;
    closed) slot_job[$2]='' slot_pid[$2]='' ;;
    gone)
      clock
      if [[ ${slot_job[$2]}/${slot_attempt[$2]} == "$3" ]]; then end_slot "$2" lost; fi
      ;;
  esac
}
