
# ---- What the main loop wants of an attempt, and for how long its runner tries ---------------------------------------

# Sets `intent`: none, stop, timeout, notice (also when this worker is told to go without one) or lost. And `kill_at`, when
# the job's time is over; for a notice `deadline`, when the machine goes, and `notice`, its text.
read_intent() {
  intent=none
  read -r intent kill_at deadline notice <"$base/intent.$slot"
}

# The file has its size from the beginning, so that this also works on a full disk.
write_intent() { # SLOT INTENT KILL-AT [DEADLINE NOTICE]
  local slot=$1 text
  shift
  printf -v text '%-500.500s' "$*"
  printf '%s\n' "$text" 1<>"$base/intent.$slot"
}

# persist STEP...: repeats a step while it returns 1 (try again). 0: done. 2: the attempt is not ours any more. 3 and above:
# it failed for good, as the step says. A notice's deadline ends it with 1, and what ends an upload with 9.
persist() {
  local rc call_started
  delay=0 given_up=0
  while :; do
    rc=0
    clock
    call_started=$now
    "$@" || rc=$?
    if ((rc != 1)); then return "$rc"; fi
    read_intent
    if [[ $intent == lost ]]; then return 2; fi
    if ((given_up == 1)) || is_upload_over; then return 9; fi
    absent=1
    back_off
    clock
    if [[ $intent == notice ]] && ((now + delay * 100 > deadline)); then return 1; fi
    sleep "$delay"
  done
}

# Asked once a second of a call that is under way.
is_given_up() {
  read_intent
  if [[ $intent == lost ]] || is_upload_over; then given_up=1; else return 1; fi
}

# A stop or a timeout that comes during the uploads ends them; the one that ended the job leaves them a minute. But a
# timeout while the daemon is away leaves each try a minute: that is no fault of the job, and nothing could be reported
# anyway.
is_upload_over() {
  if ((uploading == 0)) || [[ $intent != stop && $intent != timeout ]]; then return 1; fi
  clock
  if [[ $intent == "$ended_by" ]]; then
    ((now >= upload_started + upload_grace))
  elif [[ $intent == timeout ]] && ((absent == 1)); then
    ((now >= call_started + upload_grace))
  fi
}
