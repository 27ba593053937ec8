#!/usr/bin/env bash
# Builds Drover and runs its tests.   Usage: tests/run.sh [dev|asan|tsan] [arguments of ctest ...]
# Examples: tests/run.sh            tests/run.sh asan -L engine            tests/run.sh dev -R Settings
# Servers that tests need (PostgreSQL, the local cloud, the daemon) are started and stopped by the tests themselves.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
preset=dev
case ${1:-} in
  dev | asan | tsan)
    preset=$1
    shift
    ;;
esac

packaging/install-packages.sh test
export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$root # so that other clones of it share what is compiled
mkdir -p build
echo "==> Build (preset $preset)"
cmake --preset "$preset" >"build/.$preset-configure.log" 2>&1 || {
  cat "build/.$preset-configure.log" >&2
  exit 1
}
# Test cases are listed by running the test programs when they are linked; a terminal is not needed for that.
cmake --build --preset "$preset" -- -j "$(nproc)" </dev/null

echo "==> Tests (preset $preset)"
# Twice as many at a time as there are cores: the long ones wait more than they compute.
exec ctest --preset "$preset" -j "$(($(nproc) * 2))" --no-tests=error "$@" </dev/null
