#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/packages.sh PURPOSE...: sees to it that the Debian packages for each purpose (build, serve, test, arm64, mca, bench,
# clang, coverage, tidy, npm, browser) are there. Root installs what is missing; anyone else is told what to type. When
# nothing is missing this takes milliseconds and no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -A packages=(
  # libgtest-dev and libgmock-dev are here and not in test, so that run.sh and test.sh configure one build folder alike.
  [build]="g++ cmake ninja-build pkg-config libfmt-dev libspdlog-dev libexpected-dev nlohmann-json3-dev libcli11-dev
           libhwy-dev libpcre2-dev libutf8proc-dev libsodium-dev libxxhash-dev libhiredis-dev libhwloc-dev libedit-dev libgtest-dev libgmock-dev"
  [serve]="libboost1.81-dev libssl-dev"
  # redis-tools has Redis's server, under another name: redis-server would start it as a service.
  [test]="binutils dpkg-dev file python3 python3-numpy python3-setuptools python3-venv python3-wheel qemu-user redis-tools"
  [arm64]="g++-aarch64-linux-gnu"
  [mca]="llvm-19"
  [bench]="libbenchmark-dev"
  # libclang-rt-dev has the sanitizers and libFuzzer.
  [clang]="clang libclang-rt-dev"
  [coverage]="gcovr"
  [tidy]="clang-format clang-tidy"
  [npm]="npm"
  [browser]="chromium"
)

if ! command -v dpkg-query >/dev/null; then
  exit 0  # Not Debian: CMake says what it does not find.
fi

wanted=()
for purpose in "$@"; do
  read -ra names -d '' <<<"${packages[$purpose]}" || true
  wanted+=("${names[@]}")
done
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null) || true
missing=()
for package in "${wanted[@]}"; do
  grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
done
((${#missing[@]})) || exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
if ((EUID != 0)); then
  printf 'These packages are missing: %s\nInstall them with:\n  sudo %s\n' "${missing[*]}" "$install" >&2
  exit 1
fi

mkdir -p build
log=build/packages.log
echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
# A list that cannot be had (someone's own source, say) matters only if the install fails.
apt-get update >"$log" 2>&1 || true
if ! $install -o DPkg::Lock::Timeout=300 >>"$log" 2>&1 </dev/null; then
  grep '^E:' "$log" | sed 's|[a-z]*://[^ ]*|(mirror)|g' >&2
  echo "error: could not install ${missing[*]} (the whole output is in $log)" >&2
  exit 1
fi
