#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/page_test.sh BITFETCH_SERVE [--picture FILE]: tests the page to chat on of that program in Debian's Chromium, or
# takes a picture of it (tools/page_test.mjs), with playwright-core, which npm fetches into the build folder once. Where
# one of these cannot be had, one line on stderr says so and the exit is 77; in CI, where $CI is set, it is 1.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
package=playwright-core@1.60.0  # newer ones need a newer Node.js than Debian 12 has
folder=$PWD/build/page_test

fetch() {
  command -v node npm >/dev/null || tools/packages.sh npm || return
  command -v chromium >/dev/null || tools/packages.sh browser || return
  [[ ! -e $folder/playwright-core ]] || return 0
  echo "fetching $package" >&2
  local archive
  archive=$(npm pack --silent --fetch-retries 1 --fetch-retry-mintimeout 2000 --pack-destination "$folder" "$package" \
    2>"$folder/npm.log" </dev/null) || return
  tar -xzf "$folder/$archive" -C "$folder" && rm "$folder/$archive" && mv "$folder/package" "$folder/playwright-core"
}

mkdir -p "$folder"
if ! fetch; then
  echo "the page is not tested: Chromium, Node.js or $package cannot be had (build/page_test/npm.log may say why)" >&2
  [[ ${CI-} ]] && exit 1 || exit 77
fi
exec node tools/page_test.mjs "$folder" "$program" models/tiny.gguf "${@:2}"
