#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/install_test.sh BUILD_FOLDER: installs into a scratch prefix, builds examples/ against what is there, by CMake
# and by pkg-config, runs them, and packs a .deb.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME=$scratch/cache
prefix=$scratch/prefix

cmake --install "$build" --prefix "$prefix" >/dev/null
[[ $("$prefix/bin/bitfetch" tokenize -m "$root/models/tiny.gguf" -p a) =~ ^[0-9,]+$ ]]

# The benchmarks are reached where they were installed, and missed in one line where they were not.
"$prefix/bin/bitfetch" bench attention --help >/dev/null
rm "$prefix/bin/bitfetch-bench"
if "$prefix/bin/bitfetch" bench attention --help 2>"$scratch/said"; then exit 1; fi
grep -q "^error: the benchmarks are not built ($prefix/bin/bitfetch-bench is missing): " "$scratch/said"
[[ $(wc -l <"$scratch/said") == 1 ]]

cmake -S "$root/examples" -B "$scratch/examples" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$scratch/examples" >/dev/null
run() { echo "$1: $("$scratch/examples/$@")"; }
run generate "$root/models/tiny.gguf" "In the beginning"
run likeliest "$root/models/tiny.gguf" "In the beginning"
run attention
if "$scratch/examples/generate" "$scratch/none.gguf" a 2>"$scratch/said"; then exit 1; fi
grep -q "^error: .*none.gguf" "$scratch/said"

export PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name bitfetch.pc)")
flags=$(pkg-config --cflags --libs bitfetch)
libdir=$(pkg-config --variable=libdir bitfetch)
# shellcheck disable=SC2086
cc -std=c11 -Wall -Wextra -Werror -pedantic "$root/examples/attention.c" -o "$scratch/attention" $flags
LD_LIBRARY_PATH=$libdir "$scratch/attention"

# Nothing but bitfetch.h is seen from outside.
if nm -D --defined-only "$libdir/libbitfetch.so" | grep -v ' bitfetch_' | grep ' [TW] ' >"$scratch/seen"; then
  head "$scratch/seen"
  exit 1
fi

(cd "$scratch" && cpack --config "$build/CPackConfig.cmake" -B "$scratch/packed" >/dev/null)
for file in bin/bitfetch bin/bitfetch-bench share/doc/bitfetch/copyright; do
  dpkg-deb --contents "$scratch"/packed/bitfetch_*.deb | grep " ./usr/$file\$" >/dev/null
done
dpkg-deb --field "$scratch"/packed/bitfetch_*.deb Depends
