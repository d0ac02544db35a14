#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, and runs every test. CONTRIBUTING.md tells more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. tools/progress.sh

usage() {
  echo "usage: ./test.sh [--arm64 | --preset release|debug|asan|tsan|clang|arm64] [-R REGEX]"
  echo "       ./test.sh --fuzz [SECONDS [NAME...]]"
  echo "       ./test.sh --coverage"
  echo "       ./test.sh --tidy [FILE...]"
}

wrong() {
  echo "error: $1" >&2
  usage >&2
  exit 2
}

preset=release
select=()
while (($#)); do
  case $1 in
    --tidy) exec tools/tidy.sh "${@:2}" ;;
    --fuzz) exec tools/fuzz.sh "${@:2}" ;;
    --coverage) exec tools/coverage.sh ;;
    --arm64) preset=arm64 ;;
    --preset | -R)
      (($# > 1)) || wrong "$1: its value is missing"
      if [[ $1 == -R ]]; then select=(-R "$2"); else preset=$2; fi
      shift
      ;;
    -h | --help)
      usage
      exit
      ;;
    *) wrong "there is no option '$1'" ;;
  esac
  shift
done

case $preset in
  release | debug) tools/packages.sh build serve test ;;
  asan | tsan | clang) tools/packages.sh build serve test clang ;;
  arm64)
    tools/packages.sh build serve test arm64
    tools/arm64_sysroot.sh
    ;;
  *) wrong "there is no preset '$preset'" ;;
esac

if tokenizers=$(tools/tokenizers.sh); then
  export BITFETCH_TOKENIZERS=$tokenizers
elif [[ ${CI-} ]]; then
  exit 1
fi

if templates=$(tools/chat_templates.sh); then
  export BITFETCH_CHAT_TEMPLATES=$templates
elif [[ ${CI-} ]]; then
  exit 1
fi

# Where threads meet: what the filter of the test preset chooses from. Kernels know nothing of threads, and one ISA's will do.
targets=()
if [[ $preset == tsan ]]; then
  export BITFETCH_ISAS=native
  targets=({base,machine,kv,tier,kernels,model,engine,api,serve,serve_http,serve_schedule}_test)
fi
tools/build.sh "$preset" "${targets[@]}"

export UBSAN_OPTIONS=print_stacktrace=1
run=()
# Clang 14's thread sanitizer does not know the address layout of newer kernels with its full randomisation.
if [[ $preset == tsan ]]; then run=(setarch -R); fi

# ctest's output without the tests that passed: how many have, in their place.
watch() {
  local line
  while IFS= read -r line; do
    if [[ $line =~ ^\ *([0-9]+/[0-9]+)\ Test\ .*\ Passed\ +[0-9.]+\ sec$ ]]; then
      progress "testing build/$preset ${BASH_REMATCH[1]}"
    elif [[ ! $line =~ ^\ +Start\ +[0-9]+:\  ]]; then
      erase_progress
      printf '%s\n' "$line"
    fi
  done
}
"${run[@]}" ctest --preset "$preset" -j "$(nproc)" "${select[@]}" | watch
