
# ---- An attempt: all of this runs in its runner ----------------------------------------------------------------------

# The runner of one attempt, in a process of its own.
run_attempt() {
  local slot=$1 dir=$2 rc=0 pid='' code=0 reason='' intent=none
  local auth=$dir/auth answer=$dir/answer attempt_url=$url/jobs/$job_number/attempts/$job_attempt
  local told_to_end=0 out_hold err_hold out_report err_report out_reader err_reader out_rest=() err_rest=()
  trap 'told_to_end=1' TERM INT HUP # a signal to everyone: the main loop and the job answer it
  shopt -s dotglob nullglob
  write_auth "$auth" "$worker_token" "$job_token"
  if [[ $job_resume == 1 ]]; then lay_out_checkpoint || rc=$?; fi
  if ((rc == 0)) && ! open_streams; then rc=3 reason='the machine has no room for the files of an attempt'; fi
  read_intent
  if [[ $intent == none ]] && ((rc == 0)); then
    start_job
    emit started "$slot" "$pid"
    await_job
    emit ended "$slot" # from here on its number may be another's
    kill_rest
    close_streams
    conclude "$code"
  elif ((rc == 3)); then
    finish infra "$reason"
  elif [[ $intent == notice ]]; then
    rm -rf "$dir/checkpoint" # the one that is kept is whole, this may not be
    release 'interruption notice'
  elif [[ $intent == stop ]]; then
    finish stopped ''
  fi
  emit closed "$slot"
  rm -rf "$dir"
}

conclude() { # CODE
  read_intent
  case $intent in
    lost) ;;
    timeout) finish failure "timed out after $job_timeout_s s" "$1" ;;
    stop)
      keep_checkpoint
      finish stopped '' "$1"
      ;;
    notice)
      # Zero is success, unless the job used its last seconds for a checkpoint: then it stopped early, politely.
      if (($1 == 0)) && ! wrote_checkpoint_since_notice; then finish succeeded '' 0; else release 'interruption notice'; fi
      ;;
    *)
      if (($1 == 0)); then
        finish succeeded '' 0
      elif machine_ends "$1"; then
        release 'the machine is shutting down'
      else
        finish failure '' "$1"
      fi
      ;;
  esac
}
