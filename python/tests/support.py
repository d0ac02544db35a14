# SPDX-License-Identifier: Apache-2.0
"""For tests: the model of the repository."""
import pathlib
import subprocess
import sys
import unittest

import bitfetch

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/tiny.gguf"


def some_tokens(count, seed):
    return [(i * 37 + seed * 101) % 2000 for i in range(count)]


def run_python(script, *arguments):
    """What a Python of its own prints; it may print nothing else, and must end well."""
    done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True,
                          timeout=300, cwd=ROOT / "python", check=False)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"exit code {done.returncode}: {done.stderr}")
    return done.stdout


class ModelTest(unittest.TestCase):
    OPTIONS = {}

    @classmethod
    def setUpClass(cls):
        cls.model = bitfetch.Model(MODEL, **{"threads": 2, "prefetch": "off"} | cls.OPTIONS)
        cls.addClassCleanup(cls.model.close)

    def begun(self, tokens, salt=""):
        sequence = self.model.sequence(salt)
        sequence.append(tokens)
        return sequence

    def alone(self, tokens):
        """The logits behind `tokens`, of a model that has computed nothing else."""
        with bitfetch.Model(MODEL, threads=1) as model:
            sequence = model.sequence()
            sequence.append(tokens)
            return sequence.logits()
