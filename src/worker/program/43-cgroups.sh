
# ---- Control groups --------------------------------------------------------------------------------------------------

# Sets `cgroups`: the directory in which each attempt gets a control group. It stays empty where none can be made, which is
# most often because this program is not root, or its container may only read them.
find_cgroups() {
  local kind
  for kind in cgroup2 freezer name=systemd pids; do
    if try_cgroups "$kind"; then
      # Groups that killed workers left behind. A group with a process in it cannot be removed.
      rmdir "$cgroups"/drover-worker.* 2>/dev/null
      return
    fi
  done
  cgroups=''
  say 'no control groups here: a job can hide a process by giving it a session of its own and an empty environment'
}

# A group is made where this program is, so that limits set on it hold for its jobs. What the kernel lists is a path within
# the hierarchy, of which only a part may be mounted, or another part than it says (a container): so the directory must
# hold this process.
try_cgroups() { # cgroup2|CONTROLLER: of version 1
  local names path='' id root mount options
  while IFS=: read -r _ names id; do
    if [[ ${names:-cgroup2} == "$1" || ,$names, == *,$1,* ]]; then path=$id; fi
  done </proc/self/cgroup
  while read -r _ _ _ root mount options; do
    options=${options##* - }
    if [[ $options != "$1 "* && ! ($options == 'cgroup '* && ,${options##* }, == *,$1,*) ]]; then continue; fi
    for cgroups in "$mount${path#"${root%/}"}" "$mount"; do
      cgroups=${cgroups%/}
      if grep -qsx "$$" "$cgroups/cgroup.procs" && (enter_cgroup "$cgroups/${base##*/}.try"); then return 0; fi
    done
  done </proc/self/mountinfo
  return 1
}

# Another worker, as it starts, may take a group that is still empty for one that was left behind.
enter_cgroup() { # CGROUP
  local tries=0
  while ((tries++ < 5)); do
    mkdir "$1" 2>/dev/null
    if { echo 0 >"$1/cgroup.procs"; } 2>/dev/null; then return 0; fi
  done
  return 1
}

# Appends to `pids`. A job may have made groups within its own; 0 stands for a process that is out of our sight.
list_cgroup() { # CGROUP
  local pid within
  while read -r pid; do if ((pid > 0)); then pids+=("$pid"); fi; done 2>/dev/null <"$1/cgroup.procs"
  for within in "$1"/*/; do if [[ -d $within ]]; then list_cgroup "${within%/}"; fi; done
}

remove_cgroup() { # CGROUP
  local within
  for within in "$1"/*/; do if [[ -d $within ]]; then remove_cgroup "${within%/}"; fi; done
  rmdir "$1" 2>/dev/null
}
