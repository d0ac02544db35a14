#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ./run.sh ARGS...: installs what is missing, builds the program where that has not been done (and another that a
# command stands in, src/cli/other_programs.h), and runs `bitfetch ARGS`. Without ARGS: a short demonstration.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$root/build/release/bitfetch

targets=(bitfetch)
packages=(build)
command=${1-}
if [[ $command == help ]]; then command=${2-}; fi
case $command in
  bench) targets+=(bitfetch-bench) ;;
  convert | synth) targets+=(bitfetch-convert) ;;
  serve) targets+=(bitfetch-serve) packages+=(serve) ;;
esac
"$root/tools/packages.sh" "${packages[@]}"
"$root/tools/build.sh" release "${targets[@]}"
if (($#)); then exec "$program" "$@"; fi

cd "$root"
echo '$ ./run.sh generate -m models/tiny.gguf -p "In the beginning" -n 128' >&2
"$program" generate -m models/tiny.gguf -p "In the beginning" -n 128
echo
echo 'Next: ./run.sh bench attention shows how fast attention reads the KV cache here, with prefetching and without.' >&2
