#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/cluster.sh [nginx|haproxy] [BITFETCH]: starts a Redis, two servers and a proxy on this machine, talks to them, kills
# one in the middle of an answer, and shows that the conversation goes on with the same bytes (tools/cluster.py).
# BITFETCH: the program; where it is missing, it is built. Where Debian's packages can't be had, one line on stderr says
# so and the exit is 77; in CI, where $CI is set, it is 1.
set -euo pipefail
proxy=${1-nginx}
program=${2-}
[[ -z $program ]] || program=$(realpath "$program")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
declare -A packages=(
  [nginx]="nginx"
  [haproxy]="haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1"
)
if (($# > 2)) || [[ ! ${packages[$proxy]-} ]]; then
  echo "usage: tools/cluster.sh [nginx|haproxy] [BITFETCH]" >&2
  exit 2
fi
if [[ -z $program ]]; then
  tools/packages.sh build serve
  tools/build.sh release bitfetch bitfetch-serve
  program=$PWD/build/release/bitfetch
fi
# shellcheck disable=SC2086
if ! { tools/packages.sh test && tools/unpack.sh ${packages[$proxy]}; }; then
  echo "several servers are not tested: Debian's packages cannot be had (build/unpacked/fetch.log may say why)" >&2
  [[ ${CI-} ]] && exit 1 || exit 77
fi
library=$PWD/build/unpacked/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
exec env LD_LIBRARY_PATH="$library" PYTHONDONTWRITEBYTECODE=1 \
  /usr/bin/python3 tools/cluster.py "$proxy" "build/unpacked/usr/sbin/$proxy" "$program" models/tiny.gguf
