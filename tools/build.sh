#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/build.sh PRESET [TARGET...]: configures build/PRESET unless that is done, and builds. Output goes to
# build/PRESET.log and is shown when something fails; stderr shows how far it is; stdout stays empty. One build at a time
# works in a folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/progress.sh
preset=$1
targets=("${@:2}")
folder=build/$preset
log=$folder.log

if ! { mkdir -p build && touch "$folder.lock"; } 2>/dev/null; then
  echo "error: $PWD/build: cannot be written to" >&2
  exit 1
fi
exec 9>"$folder.lock"
if ! flock -n 9; then
  echo "waiting for another build in $folder" >&2
  flock 9
fi

# Ninja configures again by itself when a CMake file changes, but knows neither of presets nor that the clone was moved.
# BITFETCH_ISAS (all or native, cmake/isas.cmake) holds until another is asked for.
configure() {
  local configured=$folder/configured as isas=
  if [[ -e $configured ]]; then { read -r _ && read -r isas; } <"$configured" || true; fi
  isas=${BITFETCH_ISAS:-${isas:-all}}
  as=$(printf '%s\n' "$(pwd -P)" "$isas")
  if [[ $configured -nt CMakePresets.json && $(<"$configured") == "$as" ]]; then return; fi
  rm -f "$configured"
  cmake --preset "$preset" --fresh "-DBITFETCH_ISAS=$isas" && echo "$as" >"$configured"
}

# Of ninja's output "[3/80] Building..." and the like.
watch() {
  local line at=
  # Steps may take long: read gives up after a second, and says so by more than 128.
  while IFS= read -r -t 1 line || (($? > 128)); do
    if [[ $line =~ ^(\[[0-9]+/[0-9]+\])\ (Building|Linking) ]]; then at=${BASH_REMATCH[1]}; fi
    if [[ $at ]]; then progress "building $folder $at"; fi
  done
  erase_progress
}

if ! { configure && cmake --build --preset "$preset" ${targets:+--target "${targets[@]}"}; } 2>&1 |
  tee "$log" | watch; then
  # What comes before the first failure is of no use, and so is a thousand lines of what follows.
  sed -n '/^FAILED:\|^CMake Error\|^ninja: error/,$p' "$log" | head -n 60 >&2
  echo "error: the build failed (the whole output is in $log)" >&2
  exit 1
fi
