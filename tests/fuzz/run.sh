#!/usr/bin/env bash
# Builds the fuzzers with Clang and runs them one after the other, each for a while; what they reach anew goes into corpus/,
# what breaks a property into build/fuzz/crashes. Usage: tests/fuzz/run.sh [name|all] [seconds of each]
# To look at a crash again: build/fuzz/tests/fuzz/fuzz_<name> <file>. Keep its file in corpus/<name>, with a name that says
# what it shows: the ordinary tests run every file there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
wanted=${1:-all}
seconds=${2:-60}
names=()
for source in tests/fuzz/*_fuzz.cpp; do
  name=$(basename "$source" _fuzz.cpp)
  if [ "$wanted" = all ] || [ "$wanted" = "$name" ]; then names+=("$name"); fi
done
if [ ${#names[@]} -eq 0 ]; then
  echo "${0##*/}: there is no fuzzer $wanted in tests/fuzz" >&2
  exit 2
fi

packaging/install-packages.sh test
mkdir -p build/fuzz/crashes
cmake --preset fuzz >build/.fuzz-configure.log 2>&1 || {
  cat build/.fuzz-configure.log >&2
  exit 1
}
cmake --build --preset fuzz --target "${names[@]/#/fuzz_}" -- -j "$(nproc)"

failed=()
for name in "${names[@]}"; do
  fuzzer=build/fuzz/tests/fuzz/fuzz_$name
  corpus=tests/fuzz/corpus/$name
  found=build/fuzz/found/$name # all that was ever reached here; corpus/ keeps what of it is worth a file
  mkdir -p "$found" "$corpus"
  options=(-dict="tests/fuzz/$name.dict" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -close_fd_mask=1
    -artifact_prefix="build/fuzz/crashes/$name-")
  echo "==> $name, $seconds s"
  "$fuzzer" "${options[@]}" -max_total_time="$seconds" -print_final_stats=1 "$found" "$corpus" 2>"build/fuzz/$name.log" ||
    failed+=("$name")
  grep -E '^(broken|==[0-9]+==ERROR|SUMMARY|terminate)|number_of_executed|Test unit' "build/fuzz/$name.log" || true
  # Set cover by edges: as few files as reach what is new, the most telling first; beyond forty they tell little.
  stamp=$(mktemp)
  "$fuzzer" "${options[@]}" -set_cover_merge=1 -use_counters=0 "$corpus" "$found" 2>>"build/fuzz/$name.log" ||
    failed+=("$name (merge)")
  find "$corpus" -type f -newer "$stamp" -printf '%T@ %p\n' | sort -n | tail -n +41 | cut -d' ' -f2 | xargs -r rm
  rm "$stamp"
  echo "    $(find "$corpus" -type f | wc -l) files in $corpus"
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "==> Broken: ${failed[*]}; inputs in build/fuzz/crashes, output in build/fuzz/*.log" >&2
  exit 1
fi
