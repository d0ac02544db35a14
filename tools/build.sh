#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/build.sh PRESET [TARGET...]: configures build/PRESET unless that is done, and builds. Output goes to
# build/PRESET.log and is shown when something fails; stderr shows how far it is; stdout stays empty.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=$1
targets=("${@:2}")
folder=build/$preset
log=$folder.log
mkdir -p build
exec 9>"$folder.lock"
flock 9

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

# Ninja's "[3/80] Building..." as one changing line for someone who watches, as a line every ten seconds for a log.
progress() {
  local line said= next=$SECONDS
  while IFS= read -r line; do
    if [[ ! $line =~ ^(\[[0-9]+/[0-9]+\])\ (Building|Linking) ]]; then continue; fi
    if [[ -t 2 ]]; then
      printf '\r\033[Kbuilding %s %s' "$folder" "${BASH_REMATCH[1]}" >&2
    elif ((SECONDS >= next)); then
      echo "building $folder ${BASH_REMATCH[1]}" >&2
      next=$((SECONDS + 10))
    fi
    said=yes
  done
  if [[ $said && -t 2 ]]; then printf '\r\033[K' >&2; fi
}

if ! { configure && cmake --build --preset "$preset" ${targets:+--target "${targets[@]}"}; } 2>&1 |
  tee "$log" | progress; then
  # What comes before the first failure is of no use, and so is a thousand lines of what follows.
  sed -n '/^FAILED:\|^CMake Error\|^ninja: error/,$p' "$log" | head -n 60 >&2
  echo "error: the build failed (the whole output is in $log)" >&2
  exit 1
fi
