#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ./run.sh ARGS...: installs what is missing, builds the program where that has not been done, and runs `bitfetch ARGS`.
# Without ARGS: a short demonstration.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$root/build/release/bitfetch

"$root/tools/packages.sh" build
"$root/tools/build.sh" release bitfetch
if (($#)); then exec "$program" "$@"; fi

cd "$root"
demonstrate() {
  echo "\$ ./run.sh $1" >&2
  "$program" "${@:2}"
  echo
}
demonstrate 'generate -m models/tiny.gguf -p "In the beginning" -n 128' \
  generate -m models/tiny.gguf -p "In the beginning" -n 128
demonstrate 'bench attention --shape 5,4,128 --n-kv 8192 --prefetch off,law' \
  bench attention --shape 5,4,128 --n-kv 8192 --prefetch off,law
