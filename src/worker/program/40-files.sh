
# ---- Artifacts and the checkpoint ------------------------------------------------------------------------------------

readonly most_artifacts=1000 longest_name=256

# Sets `artifacts`: the names of all that is below the artifact directory and is no directory, one more than may be kept at
# most. A directory that cannot be read is named too.
list_artifacts() {
  # In a UTF-8 locale `read` goes on past the NUL behind a name that ends amid a character, and joins two names or loses the last.
  local LC_ALL=C entry path entries
  artifacts=()
  if [[ -L $dir/artifacts || -e $dir/artifacts && ! -d $dir/artifacts ]]; then
    add_fault 'the artifact directory was replaced: nothing in its place is kept'
    return
  elif [[ -d $dir/artifacts && ! (-r $dir/artifacts && -x $dir/artifacts) ]]; then
    add_fault 'the artifact directory cannot be read: no artifact is kept'
    return
  fi
  entries=("$dir/artifacts"/*)
  if ((${#entries[@]} == 0)); then return; fi # as most jobs leave it: no program is needed
  while IFS= read -r -d '' entry; do
    entry=${entry#*$'\t'} path=$dir/artifacts/$entry
    if [[ -d $path && ! -L $path && -r $path && -x $path ]]; then continue; fi
    artifacts+=("${entry#./}")
    if ((${#artifacts[@]} > most_artifacts)); then break; fi
  done < <(cd "$dir/artifacts" 2>/dev/null && LC_ALL=C du -al0 . 2>/dev/null | LC_ALL=C sort -z -t $'\t' -k 2)
}

# Returns as persist does, and 5 when the fault is this machine's. What cannot be kept is added to `faults`.
upload_artifacts() {
  local name file why top rc taken=0
  if ((${#artifacts[@]} == 0)); then return; fi
  top=$(readlink -f "$dir/artifacts")
  for name in ${artifacts[@]+"${artifacts[@]}"}; do
    if ((taken++ == most_artifacts)); then
      add_fault "there are more than $most_artifacts artifacts: the others are not kept"
      break
    fi
    rc=0 why=''
    if open_artifact "$name"; then
      persist upload "/dev/fd/$file" "artifacts/$(percent_encode "$name")" || rc=$?
      exec {file}<&-
      case $rc in
        0) ;;
        3) why="was refused (status $status)" ;;
        4) why='cannot be read' ;;
        *) return "$rc" ;;
      esac
    fi
    if [[ -n $why ]]; then add_fault "artifact ${name:0:longest_name} $why"; fi
  done
}

# Opens a file before it looks at what it is, so that nobody can put another in its place. Sets `file`, or `why` not.
open_artifact() { # NAME
  local LC_ALL=C path=$dir/artifacts/$1 target
  if ((${#1} > longest_name)); then
    why="has a name of more than $longest_name bytes"
  elif [[ -d $path && ! -L $path ]]; then
    why='is a directory that cannot be read'
  elif [[ -L $path && ! -f $path ]]; then
    why='is a link, but to no file'
  elif [[ ! -f $path ]]; then
    why='is no file'
  elif ! { exec {file}<"$path"; } 2>/dev/null; then
    why='cannot be read'
  else
    target=$(readlink "/dev/fd/$file")
    if [[ -f /dev/fd/$file && $target == "$top"/* ]]; then return 0; fi
    exec {file}<&-
    why='is a link to a file outside of the artifact directory'
  fi
  return 1
}

add_fault() {
  local LC_ALL=C text=${1//[[:cntrl:]]/?}
  notes+="[drover: $text]"$'\n'
  if ((${#faults} < 900)); then faults+=${faults:+; }$text; fi
}

upload() { # FILE PATH
  call 0 -T "$1" "$attempt_url/$2" </dev/null
  case $fault in
    file) return 4 ;;
    '') verdict ;;
    *) return 5 ;;
  esac
}

# ---- The checkpoint --------------------------------------------------------------------------------------------------

# Returns as persist does. One that is not there any more, or cannot be unpacked, is said to be lost: the job begins anew.
# 5: this machine has no room for it.
lay_out_checkpoint() {
  local rc=0 said lost=''
  persist fetch_checkpoint || rc=$?
  case $rc in
    0)
      # A set-user-ID file that a job without root saved would be root's here. Jobs of other users cannot enter the directory
      # until such bits are taken off.
      chmod 700 "$dir"
      said=$(LC_ALL=C tar --no-same-owner -xzf "$dir/checkpoint.tar.gz" -C "$dir/checkpoint" 2>&1) || rc=$?
      chmod -R u-s,g-s "$dir/checkpoint" || rc=$?
      chmod 711 "$dir"
      if ((rc != 0)) && [[ $said =~ 'No space left'|'quota exceeded'|'Cannot allocate' ]]; then return 5; fi
      while [[ $said == $'\n'* ]]; do said=${said#?}; done # gzip's message begins with an empty line
      if ((rc != 0)); then lost="it cannot be unpacked: ${said%%$'\n'*}"; fi
      ;;
    3) lost="it cannot be fetched (status $status)" ;;
    *) return "$rc" ;;
  esac
  rm -f "$dir/checkpoint.tar.gz"
  if [[ -z $lost ]]; then return 0; fi
  add_lost "$lost"
}

add_lost() {
  say "job $job_number: the checkpoint is lost: $1"
  last_words="[drover: the checkpoint of an earlier attempt is lost: $1]"
  job_resume=0 checkpoint_lost=1
  remove "$dir/checkpoint"
  mkdir "$dir/checkpoint" || return 5
}

fetch_checkpoint() {
  call 0 -o "$dir/checkpoint.tar.gz" -H 'Accept: */*' "$url$job_checkpoint" </dev/null
  case $fault in
    room | machine) return 5 ;;
  esac
  if [[ $status == 404 ]]; then return 3; fi
  verdict
}

# When the archive cannot be made, the one from before stays.
keep_checkpoint() {
  local files=("$dir/checkpoint"/*) rc=0 failed=''
  if ((${#files[@]} == 0)); then return 0; fi
  if [[ -L $dir/checkpoint ]]; then
    add_fault 'the checkpoint was not kept: its directory was replaced by a link'
    return 3
  fi
  persist send_checkpoint || rc=$?
  case $rc in
    0 | 1 | 2) return "$rc" ;;
    4) add_fault "the checkpoint was not kept: ${failed:0:400}" ;;
    *) add_fault "the checkpoint was not kept: it was refused (status $status)" ;;
  esac
  return 3
}

# The archive goes straight to the daemon: there may be no room for it here.
send_checkpoint() {
  local packed packer='' before=$watch
  exec {packed}<> <(:)
  failed='' watch=is_packing_over
  call 0 -T - "$attempt_url/checkpoint" < <(pack_checkpoint "$BASHPID")
  watch=$before
  is_packing_over
  exec {packed}>&-
  if [[ -n $packer ]]; then kill "$packer" 2>/dev/null; fi
  if [[ -n $failed ]]; then return 4; fi
  verdict
}

# True when the archive is not to be had, or the call is to be given up anyway.
is_packing_over() {
  while read -r -t 0 -u "$packed" && read -r -u "$packed" packer failed; do :; done
  if [[ -n $failed ]]; then return 0; fi
  [[ -n ${before:-} ]] && "$before"
}

# A file that changes while tar reads it is kept as it was read (tar's exit status 1). After a failure the daemon must
# not take what it has for the whole: the pipe stays open until the upload has been ended.
pack_checkpoint() { # RUNNER
  local out said rc=0
  exec {out}>&1
  said=$(LC_ALL=C tar -czf - -C "$dir/checkpoint" . 2>&1 >&"$out") || rc=$?
  if ((rc <= 1 || rc > 128)) || [[ $said == *'Broken pipe'* ]]; then return; fi
  printf '%s %s\n' "$BASHPID" "${said//$'\n'/; }" >&"$packed"
  while kill -0 "$1" 2>/dev/null; do sleep 1; done
}

# The same instant counts: file times are only as fine as the kernel's tick.
wrote_checkpoint_since_notice() {
  local file
  for file in "$dir/checkpoint" "$dir/checkpoint"/*; do
    if [[ ! $dir/deadline -nt $file ]]; then return 0; fi
  done
  return 1
}
