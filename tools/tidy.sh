#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/tidy.sh [FILE...]: clang-format and clang-tidy over these sources, or over all; any finding fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/packages.sh build serve bench clang tidy

files=("$@")
if ((!$#)); then
  mapfile -t files < <(find . -path ./build -prune -o \( -name '*.cc' -o -name '*.h' \) -printf '%P\n' | sort)
fi
clang-format --dry-run --Werror "${files[@]}"

# Headers are read where they are included.
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.cc$')
((${#sources[@]})) || exit 0
mkdir -p build
cmake --preset clang -B build/tidy -DBITFETCH_BENCH=ON -DBITFETCH_FUZZ=ON -DBITFETCH_UNITY=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >build/tidy.log
# What is compiled for ASan is read without it.
run-clang-tidy -quiet -p build/tidy -extra-arg=-Wno-unused-command-line-argument -j "$(nproc)" "${sources[@]/#/^$PWD/}" 2>>build/tidy.log
