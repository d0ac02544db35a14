# SPDX-License-Identifier: Apache-2.0
# For scripts to source: how far they are, on stderr. One changing line for someone who watches, a line every ten seconds
# for a log.
next_progress=$SECONDS

progress() {
  if [[ -t 2 ]]; then
    printf '\r\033[K%s' "$1" >&2
  elif ((SECONDS >= next_progress)); then
    echo "$1" >&2
    next_progress=$((SECONDS + 10))
  fi
}

erase_progress() { if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi; }
trap erase_progress EXIT # after Ctrl-C too
