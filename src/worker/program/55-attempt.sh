
# ---- An attempt: all of this runs in its runner ----------------------------------------------------------------------

# The runner of one attempt, in a process of its own.
run_attempt() {
  local slot=$1 dir=$2 rc=0 pid='' born=0 code=0 signal='' intent=none kill_at=0 notice=''
  local auth answers attempt_url=$url/jobs/$job_number/attempts/$job_attempt
  local uploading=0 upload_started=0 absent=0 given_up=0 ended_by='' checkpoint_lost=0 last_words='' notes='' faults=''
  local told_to_end=0 out_hold err_hold out_report err_report out_reader err_reader out_rest=() err_rest=() table
  trap 'told_to_end=1' TERM INT HUP # a signal to everyone: the main loop and the job answer it
  shopt -s dotglob nullglob
  set_auth "$worker_token" "$job_token"
  open_answers
  watch=is_given_up
  make_directories || rc=5
  if ((rc == 0)) && [[ $job_resume == 1 ]]; then lay_out_checkpoint || rc=$?; fi
  if ((rc == 0)); then open_streams || rc=5; fi
  read_intent
  if [[ $intent == none ]] && ((rc == 0)); then
    if [[ -n $last_words ]]; then printf '%s\n' "$last_words" >&"$err_hold"; fi
    start_job
    emit started "$slot" "$pid" "$born"
    await_job
    read_intent
    if [[ $intent == none ]] && machine_ends; then await_intent; fi
    await_rest
    kill_rest
    emit ended "$slot"
    remove "$dir/work" "$dir/tmp" # on a full disk, room for what follows
    close_streams
    conclude
  elif ((rc == 5)); then
    finish infra 'the machine has no room for the files of the job'
  elif [[ $intent == notice ]]; then
    remove "$dir/checkpoint" # the daemon's checkpoint is whole, this one may not be
    release
  elif [[ $intent == stop ]]; then
    finish stopped ''
  fi
  emit closed "$slot"
  remove "$dir"
}

make_directories() {
  { mkdir -m 711 "$dir" && mkdir "$dir/work" "$dir/tmp" "$dir/checkpoint" "$dir/artifacts"; } 2>/dev/null
}

conclude() {
  case $intent in
    lost) ;;
    timeout) finish failure "timed out after $job_timeout_s s" "$code" ;;
    stop)
      keep_checkpoint
      finish stopped '' "$code"
      ;;
    notice)
      # Exit status 0 is a success, unless the job wrote a checkpoint since the notice: then it only stopped early.
      if ((code == 0)) && ! wrote_checkpoint_since_notice; then finish succeeded '' 0; else release; fi
      ;;
    *)
      if ((code == 0)); then
        finish succeeded '' 0
      elif ((told_to_end == 1)); then
        release
      else
        finish failure '' "$code"
      fi
      ;;
  esac
}

# A shutdown sends TERM to every process, in any order: a job that died of it gives ours a second to arrive.
machine_ends() {
  local tries=0
  while ((told_to_end == 0 && code == 143 && tries++ < 10)); do pause 10; done
  ((told_to_end == 1 && code != 0))
}

# The main loop, which gets that TERM too, first asks whether there is a notice.
await_intent() {
  local tries=0
  while [[ $intent == none ]] && ((tries++ < 100)); do
    pause 10
    read_intent
  done
}
