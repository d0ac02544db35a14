#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/pip_test.sh LIBRARY: installs python/ with pip into an environment of its own, as docs/python.md says, and runs
# the example there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export BITFETCH_LIBRARY=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cp -r "$root/python" "$scratch/python" # where pip leaves what it has built
/usr/bin/python3 -m venv --system-site-packages "$scratch/venv"
# No index: all that it needs is Debian's.
(cd "$scratch/python" && "$scratch/venv/bin/pip" install --quiet --no-index --no-build-isolation .)
cd "$scratch/venv"
bin/python -c 'import bitfetch; print(bitfetch.__file__, bitfetch.__version__)' >said
grep -qx "$scratch/venv/lib/python3[.0-9]*/site-packages/bitfetch/__init__.py $(bin/pip show bitfetch | sed -n 's/^Version: //p')" said
[[ -f $(find . -path '*/bitfetch/py.typed') ]]
bin/python "$root/examples/batch.py" "$root/models/tiny.gguf" "In the beginning"
