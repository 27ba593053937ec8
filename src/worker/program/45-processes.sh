
# ---- The processes of a job ------------------------------------------------------------------------------------------

start_job() { # sets pid
  local vars command shell=/bin/bash
  if [[ ! -x $shell ]]; then shell=/bin/sh; fi
  vars=(${job_env[@]+"${job_env[@]}"} "DROVER_JOB_ID=$job_id" "DROVER_JOB_NUMBER=$job_number"
    "DROVER_ATTEMPT=$job_attempt" "DROVER_QUEUE=$job_queue" "DROVER_RESUME=$job_resume"
    "DROVER_CHECKPOINT_DIR=$dir/checkpoint" "DROVER_ARTIFACT_DIR=$dir/artifacts" "DROVER_DEADLINE_FILE=$dir/deadline")
  if ((${#job_args[@]} == 0)); then
    command=("$shell" -c "$job_command")
  elif [[ ${job_args[0]} == *=* ]]; then # env would take it for a variable
    command=(/bin/sh -c 'exec "$@"' sh "${job_args[@]}")
  else
    command=("${job_args[@]}")
  fi
  (
    umask "$job_umask"
    # Out of memory, it is the job that goes, not the worker.
    echo 300 2>/dev/null >/proc/self/oom_score_adj
    # exec also gives back the signals that a shell's background command ignores.
    cd "$dir/work" && exec setsid env -- "${vars[@]}" "${command[@]}"
  ) </dev/null >"$dir/stdout.pipe" 2>"$dir/stderr.pipe" {events}>&- {out_hold}>&- {err_hold}>&- \
    {out_report}<&- {err_report}<&- &
  pid=$!
  exec {out_hold}>&- {err_hold}>&-
}

# Sets `code`. wait comes back early, with 143, when a signal meant for everyone on the machine reaches the runner.
await_job() {
  local again
  while :; do
    code=0
    wait "$pid" || code=$?
    if ((code <= 128)); then return; fi
    if ! kill -0 "$pid" 2>/dev/null; then break; fi
  done
  again=0
  wait "$pid" 2>/dev/null || again=$?
  if ((again != 127)); then code=$again; fi
}

# What the job left running: the rest of its group, and whoever left its session but kept its environment.
kill_rest() {
  local stray
  kill -s KILL -- "-$pid" 2>/dev/null
  while read -r stray; do
    stray=${stray#/proc/}
    kill -s KILL "${stray%/environ}" 2>/dev/null
  done < <(grep -lszxF -e "DROVER_CHECKPOINT_DIR=$dir/checkpoint" /proc/[0-9]*/environ 2>/dev/null)
}

# A shutdown sends TERM to every process, in any order: a job that died of it gives ours a second to arrive.
machine_ends() { # CODE
  local tries=0
  while ((told_to_end == 0 && $1 == 143 && tries++ < 10)); do
    sleep 0.1 &
    wait $!
  done
  ((told_to_end == 1))
}

signal_slot() { # SIGNAL SLOT: before its setsid the job has no group yet
  local pid=${slot_pid[$2]}
  if [[ -z $pid ]]; then return; fi
  kill -s "$1" -- "-$pid" 2>/dev/null || kill -s "$1" "$pid" 2>/dev/null
}

term_slot() {
  signal_slot TERM "$1"
  signal_slot CONT "$1" # a stopped job would not see it
}
