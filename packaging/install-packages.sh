#!/usr/bin/env bash
# Installs the Debian packages that packages.txt (and, for "test", packages-test.txt) names and that are missing.
# Usage: install-packages.sh [build|test]     Needs root or sudo only when something is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kind=${1:-build}
case $kind in
  build) lists=("$here/packages.txt") ;;
  test) lists=("$here/packages.txt" "$here/packages-test.txt") ;;
  *)
    echo "usage: ${0##*/} [build|test]" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "${0##*/}: this is not Debian; install the equivalents of ${lists[*]} by hand" >&2
  exit 1
fi

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Other sources of nodejs bring npm with them, and Debian's package of it conflicts with theirs.
present() { installed "$1" || { [ "$1" = npm ] && command -v npm >/dev/null; }; }

missing=()
while read -r package; do
  present "$package" || missing+=("$package")
done < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "${lists[@]}")
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "${0##*/}: run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# Debian's PostgreSQL makes and starts a cluster "main" when it is installed. Nothing here uses one, so it is asked
# not to; where postgresql-common is there already, its clusters and its settings are somebody's and stay as they are.
if [[ " ${missing[*]} " == *" postgresql-"* ]] && ! installed postgresql-common &&
  [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  "${as_root[@]}" mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi

echo "==> Installing ${#missing[@]} packages: ${missing[*]}"
# The environment goes through `env`, because sudo drops what the caller exported.
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -q -y
  -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)
"${apt[@]}" update </dev/null
"${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null
