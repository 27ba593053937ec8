
# ---- The processes of a job ------------------------------------------------------------------------------------------

start_job() { # sets pid, born and `table`
  local vars command cgroup group shell=/bin/bash
  # Opened before the job starts, since it starts a process too: only of the last background process does bash keep the end
  # until somebody asks, and a job that dies at once would lose its signal.
  exec {table}<> <(:)
  if [[ ! -x $shell ]]; then shell=/bin/sh; fi
  vars=("TMPDIR=$dir/tmp" ${job_env[@]+"${job_env[@]}"} "DROVER_JOB_ID=$job_id" "DROVER_JOB_NUMBER=$job_number"
    "DROVER_ATTEMPT=$job_attempt" "DROVER_QUEUE=$job_queue"
    "DROVER_RESUME=$job_resume" "DROVER_CHECKPOINT_LOST=$checkpoint_lost"
    "$(mark_of "$dir")" "DROVER_ARTIFACT_DIR=$dir/artifacts" "DROVER_DEADLINE_FILE=$dir/deadline")
  if ((${#job_args[@]} == 0)); then
    command=("$shell" -c "$job_command")
  elif [[ ${job_args[0]} == *=* ]]; then # env would take it for a variable
    command=(/bin/sh -c 'exec "$@"' sh "${job_args[@]}")
  else
    command=("${job_args[@]}")
  fi
  (
    if cgroup_of "$dir"; then enter_cgroup "$cgroup" || rmdir "$cgroup" 2>/dev/null; fi
    close_descriptors
    umask "$job_umask"
    # When memory runs out the kernel is to kill the job, not the worker.
    echo 300 2>/dev/null >/proc/self/oom_score_adj
    # A background command of a shell ignores these signals, and bash 4.2 does not restore them by itself.
    trap - INT QUIT
    cd "$dir/work" && exec setsid env -- "${vars[@]}" "${command[@]}"
  ) </dev/null >"$dir/stdout.pipe" 2>"$dir/stderr.pipe" &
  pid=$!
  look_at "$pid" || born=0
  exec {out_hold}>&- {err_hold}>&-
}

# Sets `code`, and `signal` when the job's own process died of one. `wait` gives 137 for both `exit 137` and a death by
# signal 9. The shell's table of jobs tells them apart, until somebody has waited, so it is read in a trap.
await_job() {
  local state='' again=145 tries=0
  trap note_end CHLD
  # The trap is to run before `wait` has taken the job from the table, yet not amid it, where bash may crash. So an end
  # has to make `wait` come back with 145: POSIX mode does that, and job control in bash 4.2.
  set -m
  if [[ $BASH_VERSION != 4.2.* ]]; then set -o posix; fi
  note_end
  while :; do
    code=0
    wait "$pid" 2>/dev/null || code=$?
    # It also comes back when a signal meant for everyone on the machine reaches the runner.
    if ((code <= 128)) || [[ -n $state || ! -e /proc/$pid ]]; then break; fi
  done
  set +m +o posix
  trap - CHLD
  exec {table}>&-
  if ((code <= 128)); then return; fi
  # Another child's end may have made this one come back, too.
  while ((again == 145 && tries++ < 5)); do
    again=0
    wait "$pid" 2>/dev/null || again=$?
  done
  # 127 is also what `wait` says of a process that it does not know any more.
  if ((again != 127)) || is_in_state 127; then code=$again; fi
  if [[ -n $state ]] && ((code > 128)) && ! is_in_state "$code"; then signal=$((code - 128)); fi
}

# Whatever the language: "Exit 137" and "Done(137)" have the code in them, "Killed" has not.
is_in_state() { [[ $state =~ (^|[^0-9])$1([^0-9]|$) ]]; } # CODE

# Sets `state` to what the table of jobs says of the job's process, when it has ended.
note_end() {
  local line part=''
  if [[ -e /proc/$pid ]]; then return; fi # asked in this order: it may end between the two
  jobs -l >&"$table"
  # Another end may have the trap run within this function, and read the lines first.
  while read -r -t 0 -u "$table"; do
    if read_line "$table" 1 && [[ $line =~ ^\[[0-9]+\][-+\ ]+$pid\ (.*) ]]; then state=${BASH_REMATCH[1]%%( *}; fi
  done
}

# ---- All processes of a job ------------------------------------------------------------------------------------------

# Sets `cgroup`. False where there are none.
cgroup_of() { # DIR
  cgroup=$cgroups/${base##*/}.${1##*/}
  [[ -n $cgroups ]]
}

# What the environment of a job's processes is known by, unless they emptied it.
mark_of() { printf '%s' "DROVER_CHECKPOINT_DIR=$1/checkpoint"; } # DIR

# Sets `group`, and `born` (hundredths of a second since boot). False when the process is gone or only waits to be reaped.
look_at() { # PID
  local line fields
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  # shellcheck disable=SC2206  # numbers and letters; the name, which may hold anything, is before the last parenthesis
  fields=(${line##*) })
  if [[ ${fields[0]} == [ZX] ]]; then return 1; fi
  group=${fields[2]} born=${fields[19]}
}

is_same() { # PID BORN: another process may have got the number
  local group born=''
  look_at "$1" && [[ $born == "$2" ]]
}

# Sets `pids`. Without a control group: who is in the job's session, and who left it but kept its environment.
list_job() { # DIR PID BORN
  local cgroup found
  pids=()
  if cgroup_of "$1" && [[ -d $cgroup ]]; then
    list_cgroup "$cgroup"
  else
    while read -r found; do
      found=${found#/proc/}
      pids+=("${found%%/*}")
    done < <(
      grep -lsE "^[0-9]+ \(.*\) [^XZ] [0-9]+ [0-9]+ ${2:-none} " /proc/[0-9]*/stat
      grep -lszxF -e "$(mark_of "$1")" /proc/[0-9]*/environ
    )
  fi
  # Its own process wherever it is: it may have left its group.
  if [[ -n $2 ]] && is_same "$2" "$3"; then pids+=("$2"); fi
}

# Sets `targets`, for kill: groups, because a signal reaches all of a group at once, what is being forked included. Before
# its setsid a job is in this program's own group.
aim_at_job() { # DIR PID BORN [BEFORE]: only what was born before
  local pids pid group born
  targets=()
  list_job "$1" "$2" "$3"
  for pid in ${pids[@]+"${pids[@]}"}; do
    if ! look_at "$pid" || ((born >= ${4:-born + 1})); then continue; fi
    if [[ $group == "$own_group" ]]; then group=$pid; else group=-$group; fi
    if [[ " ${targets[*]-} " != *" $group "* ]]; then targets+=("$group"); fi
  done
}

signal_targets() { # SIGNAL
  if ((${#targets[@]} > 0)); then kill -s "$1" -- "${targets[@]}" 2>/dev/null; fi
}

# Sends TERM once to each process. What they start in answer to it is left alone, since programs may need it to end;
# what was started while the list was read is not.
term_job() { # DIR PID BORN
  local targets all target
  aim_at_job "$@"
  clock
  signal_targets TERM
  all=(${targets[@]+"${targets[@]}"})
  aim_at_job "$@" "$now"
  for target in "${!targets[@]}"; do
    if [[ " ${all[*]-} " == *" ${targets[target]} "* ]]; then unset "targets[target]"; fi
  done
  signal_targets TERM
  targets=(${all[@]+"${all[@]}"} ${targets[@]+"${targets[@]}"})
  signal_targets CONT # a stopped process would not see it
}

kill_job() { # DIR PID BORN
  local targets
  aim_at_job "$@"
  signal_targets KILL
}

# ---- The same, in the runner: the job's own process has ended --------------------------------------------------------

# After a TERM an attempt lasts until all of its processes have ended, or their time is over.
await_rest() {
  local pids other='' other_born='' delay=5
  while
    read_intent
    clock
    [[ $intent != none ]] && ((now < kill_at))
  do
    # As long as one of them is there, no list is needed.
    if [[ -z $other ]] || ! is_same "$other" "$other_born"; then
      list_job "$dir" "$pid" "$born"
      find_living
      if [[ -z $other ]]; then return; fi
    fi
    pause "$delay"
    delay=$((delay < 25 ? delay * 2 : 50))
  done
}

# Sets `other` and `other_born` to one of `pids`; empty when none lives.
find_living() {
  local group born
  for other in ${pids[@]+"${pids[@]}"}; do
    if look_at "$other"; then
      other_born=$born
      return
    fi
  done
  other=''
}

# A process that waits for a disk or a device cannot be ended at all; the attempt does not wait for it.
kill_rest() {
  local targets cgroup tries=0
  while
    aim_at_job "$dir" "$pid" "$born"
    ((${#targets[@]} > 0))
  do
    signal_targets KILL
    if ((++tries > 40)); then
      say "job $job_number: some of its processes cannot be ended"
      break
    fi
    pause $((tries < 10 ? tries : 10))
  done
  if cgroup_of "$dir"; then remove_cgroup "$cgroup"; fi
}
