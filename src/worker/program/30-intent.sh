
# ---- What the main loop wants of an attempt, and for how long its runner tries ---------------------------------------

# Sets `intent` (none, stop, timeout, notice, lost) and, for a notice, `deadline`.
read_intent() {
  local line
  intent=none
  while read -r line; do intent=$line; done <"$base/intent.$slot"
  if [[ $intent == notice* ]]; then
    deadline=${intent#* }
    intent=notice
  fi
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
