#!/usr/bin/env bash
# From a clone to a finished demonstration: installs packages, builds the release, runs `drover dev --demo`.
# May be run from anywhere, again and again; leaves nothing running. Arguments go to the demonstration (--input DIR).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
SECONDS=0
step() { printf '\n==> %s  (%d s so far)\n' "$1" "$SECONDS"; }

step "1/3 Packages"
packaging/install-packages.sh build

mkdir -p build
step "2/3 Build into build/release (several minutes the first time, seconds afterwards)"
export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$root
cmake --preset release -DDROVER_BENCH=OFF >build/.quickstart-configure.log 2>&1 || {
  cat build/.quickstart-configure.log >&2
  exit 1
}
cmake --build build/release --target drover -- -j "$(nproc)"

step "3/3 Demonstration"
build/release/drover dev --demo "$@"

cat <<EOF

==> Done in $SECONDS s. To keep a scheduler of your own running:

    build/release/drover dev
EOF
