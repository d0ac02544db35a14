#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/scripts_test.sh: what test.sh and build.sh say, with a cmake that builds nothing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
clone=$scratch/clone
mkdir -p "$scratch/bin" "$clone/tools" "$clone/build/release"
cp "$root"/tools/{build,progress}.sh "$clone/tools"
echo '{}' >"$clone/CMakePresets.json"
cat >"$scratch/bin/cmake" <<'EOF_CMAKE'
#!/bin/bash
if [[ $1 == --preset ]]; then exit; fi
echo "[1/2] Building CXX object a.o"
if [[ ${FAILS-} ]]; then
  printf 'FAILED: a.o\nwhy\n'
  exit 1
fi
until [[ -e $GO ]]; do sleep 0.1; done
echo "[2/2] Linking CXX executable a"
EOF_CMAKE
chmod +x "$scratch/bin/cmake"
export PATH=$scratch/bin:$PATH GO=$scratch/go
build() { "$clone/tools/build.sh" release a; }
wait_for() { until grep -qxF "$1" "$2" 2>/dev/null; do sleep 0.1; done; }
ends_with() {
  local code=0
  "${@:2}" >"$scratch/out" 2>"$scratch/err" || code=$?
  [[ $code == "$1" ]]
}

# One after the other, and whoever waits is told so.
build 2>"$scratch/first" &
first=$!
wait_for 'building build/release [1/2]' "$scratch/first"
build 2>"$scratch/second" &
second=$!
wait_for 'waiting for another build in build/release' "$scratch/second"
touch "$GO"
wait "$first"
wait "$second"

FAILS=yes ends_with 1 build
[[ ! -s $scratch/out ]]
[[ $(tail -n 3 "$scratch/err") == $'FAILED: a.o\nwhy\nerror: the build failed (the whole output is in build/release.log)' ]]

rm -r "$clone/build"
touch "$clone/build"
ends_with 1 build
[[ $(<"$scratch/err") == "error: $clone/build: cannot be written to" ]]

ends_with 0 "$root/test.sh" --help
grep -q '^usage: ' "$scratch/out"
ends_with 2 "$root/test.sh" --preset fast
grep -qx "error: there is no preset 'fast'" "$scratch/err"
ends_with 2 "$root/test.sh" -R
grep -qx 'error: -R: its value is missing' "$scratch/err"
