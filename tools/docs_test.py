#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the commands that README.md and docs/ show in indented blocks, with the tiny model in place of others.

    tools/docs_test.py PROGRAM
"""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["README.md", "models/README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^    (?:\$ )?(?:\./run\.sh|bitfetch)((?: [^#\n]*)?)(?:#.*)?$", re.MULTILINE)
MODEL = re.compile(r"\S+\.gguf")

# Begin so: take minutes, gigabytes, or a download, or do not end.
SLOW = ["convert", "bench report", "bench distance", "tune", "synth --shape bitnet-2b4t", "perplexity", "serve"]


def commands():
    for page in PAGES:
        for match in COMMAND.finditer((ROOT / page).read_text()):
            arguments = shlex.split(match.group(1))
            line = " ".join(arguments)
            stands_for_another = any(argument.isupper() for argument in arguments)
            if not arguments or stands_for_another or any(line.startswith(slow) for slow in SLOW):
                continue
            yield page, short([MODEL.sub(str(ROOT / "models/tiny.gguf"), argument) for argument in arguments])


# Of a benchmark no figure is judged.
def short(arguments):
    if arguments[0] != "bench":
        return arguments
    if arguments[1] in ("attention", "misses"):
        if "--n-kv" not in arguments:
            arguments += ["--n-kv", ""]
        arguments[arguments.index("--n-kv") + 1] = "256"
    return arguments + ["--repeats", "1"]


def main():
    program = sys.argv[1]
    ran = set()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for page, arguments in commands():
            if tuple(arguments) in ran:
                continue
            ran.add(tuple(arguments))
            done = subprocess.run([program, *arguments], cwd=folder, input="Hello\n", capture_output=True, text=True,
                                  timeout=600, check=False)
            print(f"{page}: {' '.join(arguments)}: exit code {done.returncode}")
            if done.returncode != 0:
                failed += 1
                print(done.stderr)
    if len(ran) < 10:
        sys.exit(f"only {len(ran)} commands found: has the form of the documents changed?")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
