#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ./run.sh ARGS...: installs what is missing, builds the program where that has not been done (the benchmarks only for
# `./run.sh bench ...`), and runs `bitfetch ARGS`. Without ARGS: a short demonstration.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$root/build/release/bitfetch

targets=(bitfetch)
if [[ ${1-} == bench ]]; then targets+=(bitfetch-bench); fi
"$root/tools/packages.sh" build
"$root/tools/build.sh" release "${targets[@]}"
if (($#)); then exec "$program" "$@"; fi

cd "$root"
echo '$ ./run.sh generate -m models/tiny.gguf -p "In the beginning" -n 128' >&2
"$program" generate -m models/tiny.gguf -p "In the beginning" -n 128
echo
echo 'Next: ./run.sh bench attention shows how fast attention reads the KV cache here, with prefetching and without.' >&2
