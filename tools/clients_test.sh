#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/clients_test.sh BITFETCH: tests the server of that program with real clients (tools/clients_test.mjs). What it
# needs comes into the build folder once: from npm the clients, in the versions of tools/clients_test/package-lock.json,
# and a Node.js that is new enough for them where the machine's is not; into build/unpacked nginx. Where one of these
# cannot be had, one line on stderr says so and the exit is 77; in CI, where $CI is set, it is 1.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$PWD/build/clients_test
node=node

npm_get() {
  npm "$@" --ignore-scripts --no-audit --no-fund --fetch-retries 1 --fetch-retry-mintimeout 2000 </dev/null >>"$folder/fetch.log" 2>&1
}

fetch_clients() {
  local locked=tools/clients_test/package-lock.json
  [[ ! $folder/node_modules/.package-lock.json -nt $locked ]] || return 0
  echo "fetching the clients of $locked" >&2
  cp tools/clients_test/*.json "$folder" && npm_get ci --prefix "$folder"
}

choose_node() {
  [[ $(node -p 'process.version') =~ ^v1[0-9]\. ]] || return 0
  local package
  package=node-linux-$(node -p process.arch)
  node=$folder/node/node_modules/$package/bin/node
  [[ ! -x $node ]] || return 0
  echo "fetching Node.js 22" >&2
  npm_get install --prefix "$folder/node" "$package@22.23.3"
}

fetch() {
  command -v node npm >/dev/null || tools/packages.sh npm || return
  fetch_clients && choose_node && tools/unpack.sh nginx
}

mkdir -p "$folder"
if ! fetch; then
  echo "the server is not tested with clients: npm or apt cannot fetch them (build/clients_test/fetch.log may say why)" >&2
  [[ ${CI-} ]] && exit 1 || exit 77
fi
exec "$node" tools/clients_test.mjs "$folder" "$program" models/tiny.gguf
