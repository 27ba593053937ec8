
# ---- Small things ----------------------------------------------------------------------------------------------------

say() { printf 'drover-worker: %s\n' "$*" >&2; }

# Sets `now`: hundredths of a second since boot, which no correction of the clock moves.
clock() {
  local up
  read -r up _ </proc/uptime
  now=$((10#${up/./}))
}

# Does nothing for so many hundredths of a second. Not by `read -t`: where that is done by SIGALRM (before bash 5.2), one that
# comes before the read begins is lost, and the read waits for ever.
pause() {
  local seconds
  printf -v seconds '%d.%02d' $(($1 / 100)) $(($1 % 100))
  sleep "$seconds"
}

emit() { printf '%s\n' "$*" >&"$events"; }

# Sets `line` to the next line of a pipe; false when none came in time. The time may run out, or a signal arrive, in the
# middle of a line (under load this happens to about one line in a hundred): what has been read of it stays in `part`,
# for the next call.
read_line() { # DESCRIPTOR SECONDS
  local piece='' rc=0
  IFS= read -r -t "$2" -u "$1" piece || rc=$?
  part+=$piece
  if ((rc != 0)); then return "$rc"; fi
  line=$part part=''
}

random_id() { read -r "$1" </proc/sys/kernel/random/uuid; }

# Removes what a job may have written. A worker that is not root cannot empty directories that the job closed to writing,
# before it opens them again; and a shipper of logs may add a file while the directory is being emptied.
remove() { # FILE...
  rm -rf "$@" 2>/dev/null && return
  chmod -R u+rwX "$@" 2>/dev/null
  rm -rf "$@"
}

# All but the standard three.
close_descriptors() {
  local descriptor
  for descriptor in /proc/self/fd/*; do
    descriptor=${descriptor##*/}
    if ((descriptor > 2)); then eval "exec $descriptor>&-"; fi
  done
}

# json TEXT: a JSON string; what is not printable ASCII becomes a space.
json() {
  local LC_ALL=C text=$1 backslash=$'\\' quote='"'
  text=${text//"$backslash"/"$backslash$backslash"}
  text=${text//"$quote"/"$backslash$quote"}
  printf '"%s"' "${text//[^ -~]/ }"
}

percent_encode() {
  local LC_ALL=C text=$1 out='' char code i
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    if [[ $char != [A-Za-z0-9._~/-] ]]; then
      printf -v code '%d' "'$char"
      printf -v char '%%%02X' $((code & 255))
    fi
    out+=$char
  done
  printf '%s' "$out"
}
