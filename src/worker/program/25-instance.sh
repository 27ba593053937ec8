
# ---- The instance ----------------------------------------------------------------------------------------------------

imds() { # PATH: sets status and text
  status=000
  text=$(curl -q -s --noproxy '*' --connect-timeout 2 --max-time 4 -K <(printf '%s\n' "$imds_auth") -w '\n%{http_code}' \
    "$imds_url/latest/$1" 2>/dev/null) && status=${text##*$'\n'} text=${text%$'\n'*}
}

imds_token() {
  local token
  token=$(curl -q -s -f --noproxy '*' --connect-timeout 2 --max-time 4 -X PUT \
    -H 'X-aws-ec2-metadata-token-ttl-seconds: 21600' "$imds_url/latest/api/token" 2>/dev/null) || return 1
  imds_auth="header = \"X-aws-ec2-metadata-token: $token\""
}

identify() {
  local tries=0
  until imds_token && imds meta-data/instance-id && [[ $status == 200 ]]; do
    if [[ -n $instance_id ]]; then return 0; fi
    if ((++tries >= 10)); then
      say 'no instance id: there is no metadata service, and DROVER_INSTANCE_ID is not set'
      return 1
    fi
    sleep 1
  done
  instance_id=$text
  has_imds=1
}

register() {
  local body slot cpus mem_kib disk_mib=0 name refused=0
  cpus=$(nproc)
  read -r _ mem_kib _ </proc/meminfo
  disk_mib=$(df -Pm "$base" | { read -r _ && read -r _ _ _ free _ && echo "$free"; }) || disk_mib=0
  read -r name </proc/sys/kernel/hostname
  body="{\"instance_id\":$(json "$instance_id"),\"nonce\":\"$register_nonce\",\"slots\":$slots,\"cpus\":$cpus,"
  body+="\"mem_mib\":$((mem_kib / 1024)),\"disk_mib\":$disk_mib,\"hostname\":$(json "$name"),\"version\":\"$version\"}"
  set_auth "$bootstrap_token"
  delay=0
  while :; do
    call 30 "${json_body[@]}" "$body" "$url/workers/register"
    if is_script; then break; fi
    # A daemon that is just starting would not refuse for so long: this machine is not wanted (any more).
    if [[ $status == 4* ]] && ((++refused >= 10)); then
      say "the daemon refuses this worker (status $status)"
      return 1
    fi
    back_off
    sleep "$delay"
  done
  eval "$text"
  slots=$worker_slots heartbeat_interval_s=$worker_heartbeat_interval_s
  set_auth "$worker_token"
  # Never an empty array: to bash before 4.4 that is an unset one.
  for ((slot = 1; slot <= slots; slot++)); do slot_job[slot]='' slot_attempt[slot]='' slot_runner[slot]=''; done
  say "worker $worker_id of pool $worker_pool, slots: $slots"
}
