#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of bpe.py, gguf.py, synth.py, reference.py, report_pictures.py, scaling.py and neon_mca.py; needs numpy and no PyTorch.
Run it with no argument."""
import contextlib
import dataclasses
import io
import os
import pathlib
import random
import tempfile
import unittest
from xml.etree import ElementTree

import numpy as np

import bpe
import gguf
import neon_mca
import reference
import report_pictures
import scaling
import synth


class Scratch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "m.gguf")


class BpeTest(unittest.TestCase):
    def test_words_are_those_of_llama_3(self):
        words = {"I'm we'LL go": ["I", "'m", " we", "'LL", " go"], "12345 a_b": ["123", "45", " a", "_b"],
                 "a  b   ": ["a", " ", " b", "   "], "x!?\n\n y": ["x", "!?\n\n", " y"], " \n\n  z": [" \n\n", " ", " z"],
                 "a\t\tb": ["a", "\t", "\tb"], " \x1cq": [" \x1c", "q"], "(out of": ["(out", " of"]}
        for text, expected in words.items():
            self.assertEqual(bpe.PATTERN.findall(text), expected)

    def test_any_text_survives_a_round_trip(self):
        merges = bpe.train("the cat sat on the mat, the rat " * 3, 280)
        tokenizer = bpe.Tokenizer(bpe.vocabulary(merges, ["<|end|>"]), merges, ["<|end|>"])
        letters = [chr(c) for c in range(128)] + ["é", "文", "🙂", "<|end|>", "the "]
        source = random.Random(1)
        for _ in range(200):
            text = "".join(source.choices(letters, k=source.randrange(60)))
            ids = tokenizer.encode(text)
            self.assertEqual(tokenizer.decode(ids), text)
            self.assertFalse(tokenizer.control_ids & set(ids))
        self.assertEqual(len(tokenizer.encode(" the")), 1)

    def test_the_first_merge_is_the_commonest_pair(self):
        self.assertEqual(bpe.train("abab ab cb", 257), [("a", "b")])


class GgufTest(Scratch):
    def test_metadata_of_every_type_survives(self):
        values = {0: 255, 1: -128, 2: 65535, 3: -32768, 4: 2**32 - 1, 5: -2**31, 6: 0.5, 7: True, 8: "naïve", 10: 2**63,
                  11: -2**63, 12: 1e300}
        metadata = {f"one.{t}": gguf.Typed(t, v) for t, v in values.items()}
        metadata |= {f"list.{t}": gguf.Typed(t, [v] * 3) for t, v in values.items()}
        gguf.write(self.path, metadata | {"general.alignment": 64}, [("t", gguf.F32, np.ones((3, 5), np.float32))])
        reader = gguf.Reader(self.path)
        for type_, value in values.items():
            self.assertEqual(reader.metadata[f"one.{type_}"], value)
            self.assertEqual(reader.metadata[f"list.{type_}"], [value] * 3)
        self.assertEqual(reader.tensors["t"].offset % 64, 0)
        self.assertEqual(reader.array("t").shape, (3, 5))

    def test_tensors_survive(self):
        source = np.random.default_rng(1)
        ternary = source.integers(-1, 2, (6, 512)) * np.float32(0.375)
        real = source.normal(size=(6, 512)).astype(np.float32)
        tolerance = {gguf.F32: 0, gguf.F16: 2e-3, gguf.BF16: 2e-2, gguf.Q8_0: 2e-2}
        gguf.write(self.path, {}, [(gguf.TYPE_NAMES[t], t, ternary) for t in gguf.TERNARY]
                   + [(gguf.TYPE_NAMES[t], t, real) for t in tolerance])
        reader = gguf.Reader(self.path)
        for type_ in gguf.TERNARY:
            np.testing.assert_array_equal(reader.array(gguf.TYPE_NAMES[type_]), ternary)
            values, scale = reader.ternary(gguf.TYPE_NAMES[type_])
            np.testing.assert_array_equal(values * scale, ternary)
        for type_, allowed in tolerance.items():
            np.testing.assert_allclose(reader.array(gguf.TYPE_NAMES[type_]), real, rtol=0, atol=allowed)

    def test_i2_s_layout(self):
        row = np.zeros((1, 128), np.float32)
        row[0, [0, 33, 127]] = 2, -2, 2
        gguf.write(self.path, {}, [("t", gguf.I2_S, row)])
        _, data = gguf.Reader(self.path).raw("t")
        self.assertEqual(len(data), 64)
        self.assertEqual((data[0], data[1], data[31], data[2]), (0b10010101, 0b01000101, 0b01010110, 0b01010101))
        self.assertEqual(np.frombuffer(data, np.float32, 1, 32)[0], 2)

    def test_groups_with_a_scale_each_survive(self):
        source = np.random.default_rng(1)
        for type_, size in gguf.GROUPS.items():
            codes = source.integers(-1, 3, (6, 512 // size, size))
            codes[0, 0] = 0
            scales = source.uniform(0.1, 2, (6, 512 // size, 1)).astype(np.float16)
            weights = (codes * scales.astype(np.float32)).reshape(6, 512)
            gguf.write(self.path, {}, [("t", type_, weights)])
            np.testing.assert_array_equal(gguf.Reader(self.path).array("t"), weights)

    def test_q2_0_layout(self):
        row = np.zeros((1, 64), np.float32)
        row[0, [0, 1, 63]] = 2, 4, -2
        gguf.write(self.path, {}, [("t", gguf.Q2_0, row)])
        _, data = gguf.Reader(self.path).raw("t")
        self.assertEqual(len(data), 18)
        self.assertEqual((data[2], data[3], data[17]), (0b01011110, 0b01010101, 0b00010101))
        self.assertEqual(np.frombuffer(data, np.float16, 1)[0], 2)

    def test_rows_that_are_no_whole_blocks_are_refused(self):
        with self.assertRaisesRegex(gguf.GgufError, "rows of 96 elements"):
            gguf.write(self.path, {}, [("t", gguf.TQ2_0, np.ones((4, 96), np.float32))])
        with self.assertRaisesRegex(gguf.GgufError, "rows of 288 elements"):
            gguf.write(self.path, {}, [("t", gguf.I2_S, np.ones((3, 96), np.float32))])
        gguf.write(self.path, {}, [("t", gguf.I2_S, np.ones((4, 96), np.float32))])
        np.testing.assert_array_equal(gguf.Reader(self.path).array("t"), np.ones((4, 96)))

    def test_two_scales_are_refused(self):
        gguf.write(self.path, {}, [("t", gguf.TQ2_0, np.ones((1, 512), np.float32))])
        reader = gguf.Reader(self.path)
        data = bytearray(reader.raw("t")[1])
        data[64:66] = np.float16(3).tobytes()
        reader.raw = lambda name: (reader.tensors[name], bytes(data))
        with self.assertRaisesRegex(gguf.GgufError, "more than one scale"):
            reader.ternary("t")


class ReferenceTest(Scratch):
    def logits(self, tokens, **shape):
        synth.write_model(self.path, **shape)
        return reference.Reference(self.path).logits(tokens)

    def test_attention_is_causal(self):
        long, short = self.logits([5, 6, 7, 8]), self.logits([5, 6])
        np.testing.assert_allclose(long[:2], short, rtol=1e-4, atol=1e-4)
        self.assertGreater(np.abs(self.logits([9, 6])[1] - short[1]).max(), 1e-2)

    def test_every_ternary_type_describes_the_same_model(self):
        results = [self.logits([1, 2, 3], ternary=t, feed_forward=512) for t in gguf.TERNARY]
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])

    def test_both_forms_of_rope_turn_the_same_pairs(self):
        for architecture in ("bitnet-b1.58", "llama"):
            synth.write_model(self.path, architecture=architecture, head_dim=64, rope_freqs=True)
            model = reference.Reference(self.path)
            x = np.random.default_rng(1).normal(size=(7, 2, 64))
            pair = x[..., model.first] + 1j * x[..., model.second]
            y = model._rope(x, model.frequencies)
            turned = (y[..., model.first] + 1j * y[..., model.second]) / pair
            np.testing.assert_allclose(turned, np.exp(1j * np.arange(7)[:, None, None] * model.frequencies)
                                       * np.ones(pair.shape))
            self.assertEqual(set(model.first) | set(model.second), set(range(64)))

    def test_compare_finds_what_is_wrong(self):
        expected = np.random.default_rng(1).normal(size=(4, 50)).astype(np.float32)
        first, second = np.argsort(expected[3])[[-1, -2]]
        expected[3, first] = expected[3, second] + 0.07  # of an RMS of about 1
        worse, swapped = expected.copy(), expected.copy()
        worse[2] += 0.1 * np.random.default_rng(2).normal(size=50)
        swapped[3, first] = swapped[3, second] - 1e-3
        for logits, message in ((expected, None), (expected[:3], "150 values"), (worse, "position 2: cosine"),
                                (swapped, f"token {second} is first"), (expected * np.nan, "finite")):
            logits.tofile(self.path)
            with contextlib.redirect_stdout(io.StringIO()):
                wrong = reference.compare(expected, self.path)
            self.assertEqual(wrong, None) if message is None else self.assertIn(message, wrong)


class ReportPicturesTest(unittest.TestCase):
    PAGE = (pathlib.Path(__file__).parent.parent / "docs/report.html").read_text(encoding="utf-8")

    def test_a_picture_stands_alone_with_its_legend(self):
        name = "{http://www.w3.org/2000/svg}"
        for section, number in (("Attention", 1), ("Misses", 2), ("How far", 1)):
            drawing = ElementTree.fromstring(report_pictures.picture(self.PAGE, section, number))
            self.assertIn("--s1", drawing.find(name + "style").text)
            texts = [text.text for text in drawing.iter(name + "text")]
            self.assertIn("prefetch off", texts)
            self.assertGreater(len(drawing.find(name + "g")), 10)

    def test_what_is_not_there_is_refused(self):
        for section, number in (("Nothing", 1), ("Misses", 0), ("Misses", 9)):
            self.assertRaises(report_pictures.PictureError, report_pictures.picture, self.PAGE, section, number)


class ScalingTest(unittest.TestCase):
    def test_the_model_is_near_what_was_measured(self):
        for name, machine, gb, context, measured in scaling.CHECKS:
            told = 1e3 / machine.token_ms(dataclasses.replace(scaling.B2, fours_gb=gb), context, 2)
            self.assertLess(abs(told / measured - 1), 0.2, f"{name}, {context} tokens")

    def test_its_page_has_what_it_prints(self):
        docs = pathlib.Path(__file__).parent.parent / "docs"
        page = (docs / "scaling.md").read_text(encoding="utf-8")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            scaling.print_machines()
        self.assertIn(printed.getvalue(), page)
        self.assertEqual((docs / "scaling.svg").read_text(encoding="utf-8"), scaling.picture())


class NeonMcaTest(unittest.TestCase):
    # A loop around two others, of which one jumps over a prefetch that lies behind the function's end.
    FUNCTION = """
.L1:
\tadd\tx0, x0, 1
.L2:
\tcbnz\tw2, .L5
.L3:
\tsdot\tv0.4s, v1.16b, v2.16b
\tcmp\tx1, x0
\tbne\t.L2
.L4:
\tfmla\tv0.4s, v1.4s, v2.4s
\tfmla\tv3.4s, v1.4s, v2.4s
\tcbnz\tx4, .L4
\tcmp\tx3, x0
\tbne\t.L1
\tret
.L5:
\tprfm pldl1keep, [x5]
\tb\t.L3
""".strip("\n").splitlines()

    def test_a_loop_is_known_by_what_it_does(self):
        flow = neon_mca.Flow(self.FUNCTION)
        self.assertEqual([line.split()[0] for line in flow.turn(1, 1)], ["sdot", "cmp", "bne", "cbnz", "prfm", "b"])
        self.assertEqual([line.split()[0] for line in flow.turn(0, 1)], ["sdot", "cmp", "bne", "cbnz"])
        self.assertEqual([line.split()[0] for line in flow.turn(0, 2)], ["fmla", "fmla", "cbnz"])
        self.assertIsNone(flow.turn(2, 1))


if __name__ == "__main__":
    unittest.main()
