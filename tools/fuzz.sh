#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/fuzz.sh [SECONDS [NAME...]]: lets each fuzzer of fuzz/, or those of these names, look for inputs that it does not
# survive, so many seconds long (60), starting from fuzz/corpus/NAME and from what it found before in
# build/fuzz/NAME/corpus. Fails on any finding, and says where the input is that shows it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export seconds=${1:-60}
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "error: '$seconds' is no number of seconds" >&2
  exit 2
fi
names=("${@:2}")
if ((!${#names[@]})); then mapfile -t names < <(basename -s .cc fuzz/*.cc); fi
tools/packages.sh build serve test clang
tools/build.sh asan "${names[@]/#/fuzz_}"

# An input takes milliseconds: what takes longer than the limits is a finding.
fuzz() {
  local folder=build/fuzz/$1 log=build/fuzz/$1/log
  mkdir -p "$folder/corpus"
  if ! build/asan/fuzz/fuzz_"$1" "$folder/corpus" "fuzz/corpus/$1" -artifact_prefix="$folder/" -max_len=16384 \
    -timeout=30 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_total_time="$seconds" -print_final_stats=1 \
    >"$log" 2>&1 </dev/null; then
    grep -m 5 'ERROR\|SUMMARY\|runtime error\|does not hold\|Test unit written' "$log" >&2 || tail -n 5 "$log" >&2
    echo "error: fuzz_$1 found something (the whole output is in $log)" >&2
    return 1
  fi
  echo "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs," \
    "$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1)"
}
export -f fuzz
export UBSAN_OPTIONS=print_stacktrace=1 XDG_CACHE_HOME=$PWD/build/asan/cache
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I NAME bash -c 'fuzz NAME'
