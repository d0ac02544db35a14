#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes build/arm64-sysroot: the ARM64 libraries that cmake/arm64-toolchain.cmake builds with and qemu-aarch64 runs with,
# from the Debian mirrors of this machine. apt works in a folder of its own here, with ARM64 as its only architecture
# and nothing installed, so the machine's own packages are not touched and root is not needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(libstdc++6 libfmt-dev libspdlog-dev libexpected-dev nlohmann-json3-dev libcli11-dev libhwy-dev libpcre2-dev
  libutf8proc-dev libsodium-dev libxxhash-dev libhiredis-dev libhwloc-dev libedit-dev libboost1.81-dev libssl-dev
  libgtest-dev libgmock-dev)
sysroot=$PWD/build/arm64-sysroot
state=$sysroot.apt
done=$sysroot/.done
if [[ $done -nt tools/arm64_sysroot.sh ]]; then exit; fi

echo "making build/arm64-sysroot" >&2
rm -rf "$sysroot" "$state"
mkdir -p "$sysroot"/usr/{bin,sbin,lib} "$state"/{lists,archives}/partial
ln -s usr/{bin,sbin,lib} "$sysroot"
# The headers of the C and C++ libraries come with the cross compiler, and nothing here links to ltdl, which would bring
# Perl along.
printf 'Package: %s\nStatus: install ok installed\nArchitecture: arm64\nVersion: 999\nProvides: libc-dev\n\n' \
  libc6-dev libstdc++-12-dev libltdl-dev >"$state/status"
cat >"$state/apt.conf" <<CONF
#clear APT::Architectures;
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "$state";
Dir::State::lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
CONF

log=build/arm64-sysroot.log
if ! { apt-get -c "$state/apt.conf" update &&
  apt-get -c "$state/apt.conf" install -y --no-install-recommends --download-only "${packages[@]}"; } >"$log" 2>&1; then
  grep '^E:' "$log" | sed 's|[a-z]*://[^ ]*|(mirror)|g' >&2
  echo "error: could not download the ARM64 libraries (the whole output is in $log)" >&2
  exit 1
fi

for archive in "$state"/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$archive" | tar -x --keep-directory-symlink -C "$sysroot"
done
rm -rf "$state"
# An absolute link would lead out of the sysroot.
find "$sysroot" -type l -lname '/*' -printf '%p\t%l\n' | while IFS=$'\t' read -r link target; do
  ln -sfnr "$sysroot$target" "$link"
done
touch "$done"
