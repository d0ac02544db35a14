#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/install_test.sh BUILD_FOLDER: installs into a scratch prefix, builds examples/ against what is there, by CMake
# and by pkg-config, runs them, and packs the .debs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME=$scratch/cache
prefix=$scratch/prefix

cmake --install "$build" --prefix "$prefix" >/dev/null
[[ $("$prefix/bin/bitfetch" tokenize -m "$root/models/tiny.gguf" -p a) =~ ^[0-9,]+$ ]]

# The other programs are reached where they were installed, and missed in one line where they were not.
"$prefix/bin/bitfetch" synth --out "$scratch/synth.gguf"
"$prefix/bin/bitfetch" bench attention --help >/dev/null
rm "$prefix/bin/bitfetch-bench"
if "$prefix/bin/bitfetch" bench attention --help 2>"$scratch/said"; then exit 1; fi
grep -q "^error: .bench. is not built ($prefix/bin/bitfetch-bench is missing): " "$scratch/said"
[[ $(wc -l <"$scratch/said") == 1 ]]

cmake -S "$root/examples" -B "$scratch/examples" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$scratch/examples" >/dev/null
run() { echo "$1: $("$scratch/examples/$@")"; }
run generate "$root/models/tiny.gguf" "In the beginning"
run batch "$root/models/tiny.gguf" "In the beginning"
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
deb=$(echo "$scratch"/packed/bitfetch_*.deb)
dpkg-deb --extract "$deb" "$scratch/unpacked"
for file in bin/bitfetch bin/bitfetch-bench bin/bitfetch-convert bin/bitfetch-serve lib/systemd/system/bitfetch.service share/doc/bitfetch/LICENSE; do
  [[ -f $scratch/unpacked/usr/$file ]]
done
dpkg-deb --field "$deb" Depends

# The Python module is a package beside it, and finds the library as the system does.
deb=$(echo "$scratch"/packed/python3-bitfetch_*_all.deb)
dpkg-deb --extract "$deb" "$scratch/unpacked"
dpkg-deb --field "$deb" Depends | grep "^bitfetch (= $("$prefix/bin/bitfetch" --version | grep -oE '[0-9.]+')), "
(cd "$scratch/unpacked/usr" && env -u BITFETCH_LIBRARY LD_LIBRARY_PATH="$(dirname "$PWD"/lib*/libbitfetch.so)" \
  PYTHONPATH=lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 \
  /usr/bin/python3 "$root/examples/batch.py" "$root/models/tiny.gguf" "In the beginning")

# The licence of each library that is compiled in is named: what the binaries define in its namespace, which is also the
# name of its folder of headers, gives it away.
copyright=$scratch/unpacked/usr/share/doc/bitfetch/copyright
libraries=$(nm --demangle --defined-only "$build"/bitfetch{,-bench,-convert} "$libdir/libbitfetch.so" |
  sed -nE 's/^[0-9a-f]+ . ([a-z]+ )*([A-Za-z_]+)::.*/\2/p' | grep -vxE 'bitfetch.*|std|__gnu_cxx' | sort -u)
[[ $libraries == *CLI*fmt*nlohmann* ]]
for library in $libraries; do
  grep -qx "Files: usr/include/$library/\*" "$copyright" || { echo "copyright does not name $library"; exit 1; }
done
sed -n 's/^License: //p' "$copyright" | sort | uniq -c | while read -r count licence; do
  [[ $count -gt 1 ]] || { echo "copyright lacks the text of $licence, or has a text that nothing refers to"; exit 1; }
done
