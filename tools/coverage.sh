#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/coverage.sh: runs every test in a build that counts, prints which share of the lines of src/ ran, and leaves in
# build/coverage.txt which lines of each file did not. Tests and what only they include are not counted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/packages.sh build serve test coverage
tools/build.sh coverage
find build/coverage -name '*.gcda' -delete
ctest --preset coverage -j "$(nproc)"
gcovr --filter src/ --exclude '.*_test\.cc' --exclude '.*/(test_.*|temp_dir|sanitized)\.h' --txt build/coverage.txt \
  --print-summary build/coverage
