
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

# persist STEP...: repeats a step while it returns 1 (try again). 0: done. 2: the attempt is not ours any more. 3: refused
# for good. A notice's deadline ends it with 1.
persist() {
  local rc
  delay=0
  while :; do
    rc=0
    "$@" || rc=$?
    if ((rc != 1)); then return "$rc"; fi
    read_intent
    if [[ $intent == lost ]]; then return 2; fi
    back_off "$answer"
    clock
    if [[ $intent == notice ]] && ((now + delay * 100 > deadline)); then return 1; fi
    sleep "$delay"
  done
}
