#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/unpack.sh PACKAGE...: unpacks Debian packages into build/unpacked, once, and installs nothing, since that would
# start what is a service. build/unpacked/fetch.log has apt's words.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p build/unpacked
cd build/unpacked
exec {lock}>.lock
flock $lock
for package in "$@"; do
  [[ ! -e .$package ]] || continue
  echo "fetching $package" >&2
  { apt-get download "$package" || { apt-get update && apt-get download "$package"; }; } >>fetch.log 2>&1
  dpkg-deb -x "$package"_*.deb .
  rm "$package"_*.deb
  touch ".$package"
done
