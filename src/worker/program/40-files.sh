
# ---- Artifacts and the checkpoint ------------------------------------------------------------------------------------

upload() { # FILE NAME
  call 0 "$answer" -T "$1" "$attempt_url/artifacts/$(percent_encode "$2")"
  verdict
}

download_checkpoint() {
  call 0 "$answer" -H 'Accept: */*' "$url/jobs/$job_number/artifacts/$(percent_encode "$job_checkpoint")"
  if [[ $status == 404 ]]; then return 3; fi
  verdict
}

# Returns as persist does, and 3 when there is nothing to resume from or it cannot be unpacked: `reason` says so.
lay_out_checkpoint() {
  local rc=0
  persist download_checkpoint || rc=$?
  if ((rc == 3)); then reason='the checkpoint cannot be fetched'; fi
  if ((rc != 0)); then return "$rc"; fi
  if ! tar --no-same-owner -xzf "$answer" -C "$dir/checkpoint" 2>/dev/null; then
    reason='the checkpoint cannot be unpacked'
    return 3
  fi
}

keep_checkpoint() {
  local files=("$dir/checkpoint"/*)
  if ((${#files[@]} == 0)); then return 0; fi
  tar -czf "$dir/checkpoint.tar.gz" -C "$dir/checkpoint" . 2>/dev/null || say "job $job_number: tar found fault"
  persist upload "$dir/checkpoint.tar.gz" checkpoint.tar.gz
}

# The same instant counts: file times are only as fine as the kernel's tick.
wrote_checkpoint_since_notice() {
  local file
  for file in "$dir/checkpoint" "$dir/checkpoint"/*; do
    if [[ ! $dir/deadline -nt $file ]]; then return 0; fi
  done
  return 1
}
