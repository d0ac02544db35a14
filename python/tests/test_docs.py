# SPDX-License-Identifier: Apache-2.0
import re
import unittest

from tests.support import MODEL, ROOT, run_python


class PageTest(unittest.TestCase):
    def test_the_code_of_the_page_runs(self):
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)
        for block in blocks:
            self.assertGreater(len(run_python(block.replace("models/tiny.gguf", str(MODEL)))), 60)
        self.assertEqual(len(blocks), 1)
