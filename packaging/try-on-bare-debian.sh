#!/usr/bin/env bash
# Release check: runs packaging/quickstart.sh twice on a bare Debian 12, made by debootstrap (variant minbase) in a directory
# of its own and entered by chroot. What the scripts forget to install shows there and nowhere else: a developer's
# machine has it. Takes ten minutes or more, 6 GB of disk, and root; packages come from where this machine takes its own.
# Usage: sudo packaging/try-on-bare-debian.sh [DIRECTORY]   (DIRECTORY: where to make it; default /var/tmp)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=${0##*/}
if [ "$(id -u)" -ne 0 ]; then
  echo "$name: chroot and mount need root: sudo $0 $*" >&2
  exit 2
fi
if ! command -v debootstrap >/dev/null; then
  apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends debootstrap </dev/null
fi
# The first Debian archive that this machine's apt knows.
# shellcheck disable=SC2016  # apt's own variables
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
  awk '$2 == "bookworm" { print $1; exit }')
mirror=${mirror:-http://deb.debian.org/debian}

bare=$(mktemp -d "${1:-/var/tmp}/drover-bare.XXXXXX")
chmod 755 "$bare" # the root directory of users other than root, too
leave() {
  local mounted
  for mounted in dev/shm proc; do
    if mountpoint -q "$bare/$mounted"; then umount "$bare/$mounted" || return; fi
  done
  rm -rf --one-file-system "$bare"
}
trap leave EXIT

echo "==> Debian 12, minbase, from $mirror into $bare"
debootstrap --variant=minbase bookworm "$bare" "$mirror" >"$bare.log" 2>&1 || {
  tail -n 20 "$bare.log" >&2
  exit 1
}
rm -f "$bare.log"
# How this machine reaches its archive: names, proxies, sources.
for file in /etc/resolv.conf /etc/hosts; do
  if [ -e "$file" ]; then cp -L "$file" "$bare$file"; fi
done
for file in /etc/apt/apt.conf.d/*prox*; do
  if [ -e "$file" ]; then cp "$file" "$bare/etc/apt/apt.conf.d/"; fi
done
mount -t proc proc "$bare/proc"
mount -t tmpfs -o mode=1777 tmpfs "$bare/dev/shm"
git -c safe.directory='*' clone -q --no-hardlinks "$root" "$bare/root/drover"

for run in first second; do
  echo "==> quickstart.sh, the $run time"
  # Nothing of this machine's environment but what leads to the archive.
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 ${http_proxy:+"http_proxy=$http_proxy"} \
    ${https_proxy:+"https_proxy=$https_proxy"} chroot "$bare" bash /root/drover/packaging/quickstart.sh </dev/null |
    tee "$bare/root/$run.log"
  grep -q ', 0 lost$' "$bare/root/$run.log" || {
    echo "$name: the demonstration's last line is missing" >&2
    exit 1
  }
done
echo "==> It works on a bare Debian 12"
