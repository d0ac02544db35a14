#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/check_prefetch.sh PROGRAM OBJDUMP ARCH PATTERN...: that no compiler has dropped the prefetches. Every function of
# PROGRAM (x86_64 or aarch64) whose demangled name matches a PATTERN, an extended regular expression, must hold a prefetch
# instruction, and there must be such a function. OBJDUMP disassembles ARCH.
set -euo pipefail
program=$1 objdump=$2 arch=$3
shift 3
case $arch in
  x86_64 | AMD64) instruction='\tprefetch(t0|t1|t2|nta|w)' ;;
  aarch64 | arm64) instruction='\tprfum?\t|\tprfm\t' ;;
  *) echo "error: no prefetch instruction is known for $arch" >&2 && exit 1 ;;
esac

# One line for each function: how many prefetches it has, and its name.
functions=$("$objdump" -d -C --no-show-raw-insn "$program" | awk -v instruction="$instruction" '
  /^[0-9a-f]+ <.*>:$/ {
    if (name) print count, name
    name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name); count = 0
  }
  $0 ~ instruction { ++count }
  END { if (name) print count, name }')

status=0
for pattern in "$@"; do
  # The cold parts that compilers split off hold the ways out of a function.
  matching=$(grep -E -- "^[0-9]+ .*($pattern)" <<<"$functions" | grep -v 'clone \.cold' || true)
  without=$(grep '^0 ' <<<"$matching" || true)
  if [[ ! $matching ]]; then
    echo "FAIL $pattern: no such function" && status=1
  elif [[ $without ]]; then
    echo "FAIL $pattern: no prefetch in" && sed 's/^0 /  /' <<<"$without" && status=1
  else
    echo "ok   $pattern: $(awk '{n += $1} END {print n " in " NR " functions"}' <<<"$matching")"
  fi
done
exit $status
