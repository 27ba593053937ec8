
# ---- The interruption notice -----------------------------------------------------------------------------------------

run_notice() {
  imds "$base/notice.json" meta-data/spot/instance-action
  if [[ $status == 401 ]] && imds_token; then imds "$base/notice.json" meta-data/spot/instance-action; fi
  emit notice "$status"
}

on_notice() {
  local text left
  text=$(<"$base/notice.json")
  left=$notice_default_s
  if [[ $text =~ \"time\"[[:space:]]*:[[:space:]]*\"([0-9TZ:.+-]+)\" ]]; then
    left=$(($(date -d "${BASH_REMATCH[1]}" +%s 2>/dev/null || echo 0) - $(date +%s)))
  fi
  # EC2 gives two minutes; anything else is the clock of this machine being wrong.
  begin_notice "$text" $((left > 0 && left <= 150 ? left : notice_default_s))
}

# This machine is to go at `deadline`.
begin_notice() { # TEXT SECONDS
  local slot
  clock
  notice=$1 deadline=$((now + $2 * 100))
  notice_time=$(date -u -d "+$2 seconds" +%Y-%m-%dT%H:%M:%SZ)
  say "interruption notice: $notice; $2 s left"
  for slot in "${!slot_job[@]}"; do if [[ -n ${slot_job[slot]} ]]; then end_slot "$slot" notice; fi; done
  task_due[beat]=0
}
