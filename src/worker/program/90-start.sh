
# ---- The start -------------------------------------------------------------------------------------------------------

run_worker() {
  base=$(mktemp -d "$work_dir/drover-worker.XXXXXX") || exit 1
  chmod 711 "$base" # a job that gave up root passes through it to its own directories
  open_answers
  renew_pipe claim
  renew_pipe beat
  mkfifo "$base/events" || exit 1
  exec {events}<>"$base/events"
  trap 'leave 1' EXIT TERM INT # also when this program itself fails: no job may go on without it
  look_at $$
  own_group=$group
  find_cgroups
  random_id register_nonce
  identify || leave 1
  register || leave 1
  trap 'terminated=1' TERM INT
  main_loop
  leave $?
}

# In one piece: the file may be gone or changed when the shell would read on.
run_worker
