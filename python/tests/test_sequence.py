# SPDX-License-Identifier: Apache-2.0
import ctypes

import numpy as np

import bitfetch
from bitfetch._convert import fill
from bitfetch._library import Sampling, lib
from tests.support import ModelTest, some_tokens

_ON_TEXT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t, ctypes.c_void_p)


def c_generate(sequence, prompt, max_tokens, options):
    """The texts of bitfetch_sequence_generate, and its status."""
    sampling = Sampling()
    lib.bitfetch_sampling_init(sampling, ctypes.sizeof(sampling))
    fill(sampling, [("max_tokens", max_tokens), *options.items()])
    texts = []
    on_text = _ON_TEXT(lambda text, size, _: texts.append(text[:size].decode()) or 1)
    status = lib.bitfetch_sequence_generate(sequence._handle, prompt.encode(), ctypes.c_size_t(len(prompt.encode())),
                                            ctypes.byref(sampling), on_text, None)
    return texts, status


class SequenceTest(ModelTest):
    def test_logits_are_written_by_the_library_and_are_those_of_a_sequence_alone(self):
        tokens = some_tokens(70, 1)
        logits = self.begun(tokens).logits()
        self.assertEqual((logits.shape, logits.dtype), ((2048,), np.float32))
        self.assertIsNone(logits.base)
        np.testing.assert_array_equal(logits.view(np.uint32), self.alone(tokens).view(np.uint32))

    def test_an_embedding_is_of_length_one_and_the_same_in_a_fork(self):
        sequence = self.begun(some_tokens(20, 1))
        embedding = sequence.embedding()
        self.assertEqual((embedding.shape, embedding.dtype), ((self.model.hidden,), np.float32))
        self.assertAlmostEqual(float(np.linalg.norm(embedding.astype(np.float64))), 1, 6)
        np.testing.assert_array_equal(embedding, sequence.fork().embedding())
        with self.assertRaisesRegex(bitfetch.Error, "nothing was appended"):
            self.model.sequence().embedding()

    def test_salt_and_pieces_change_nothing(self):
        sequence = self.begun(np.array(some_tokens(70, 1), np.int64)[:33], "salt")
        sequence.append(some_tokens(70, 1)[33:])
        np.testing.assert_array_equal(sequence.logits(), self.alone(some_tokens(70, 1)))
        with self.assertRaisesRegex(ValueError, "salt"):
            self.model.sequence("sal\0t")

    def test_a_fork_goes_on_by_itself(self):
        one = self.begun(some_tokens(40, 1))
        other = one.fork()
        np.testing.assert_array_equal(other.logits(), one.logits())
        one.append(some_tokens(5, 2))
        other.append(some_tokens(30, 3))
        self.assertEqual(other.tokens, some_tokens(40, 1) + some_tokens(30, 3))
        np.testing.assert_array_equal(one.logits(), self.alone(some_tokens(40, 1) + some_tokens(5, 2)))
        np.testing.assert_array_equal(other.logits(), self.alone(other.tokens))
        other.truncate(40)
        self.assertEqual(len(other), 40)
        with self.assertRaisesRegex(bitfetch.Error, "no token was appended"):
            other.logits()
        other.append(some_tokens(5, 2))
        np.testing.assert_array_equal(other.logits(), one.logits())

    def test_what_is_refused_leaves_the_text_as_it_was(self):
        sequence = self.begun([1, 2, 3])
        for tokens, kind in [([2048], bitfetch.InvalidArgument), ([2**32], ValueError),
                             ([1] * self.model.context, bitfetch.ContextFull)]:
            with self.assertRaises(kind):
                sequence.append(tokens)
        for length in -1, 2**64, -2**64:
            with self.assertRaisesRegex(ValueError, "length"):
                sequence.truncate(length)
        sequence.append([])
        self.assertEqual(sequence.tokens, [1, 2, 3])
        self.assertTrue(self.model.sequence())


class GenerateTest(ModelTest):
    OPTIONS = {"context": 80}

    def compare(self, prompt, max_tokens, **options):
        expected, sequence = self.model.sequence("c"), self.model.sequence()
        texts, status = c_generate(expected, prompt, max_tokens, options)
        made = []
        try:
            for text in sequence.generate(prompt, max_tokens=max_tokens, **options):
                made.append(text)
            self.assertEqual(status, 0)
        except bitfetch.ContextFull:
            self.assertEqual(status, 5)
        self.assertEqual(made, texts)
        self.assertEqual(sequence.tokens, expected.tokens)
        if status == 0:
            self.assertEqual(c_generate(expected, " And", 3, {})[0], list(sequence.generate(" And", max_tokens=3)))
            self.assertEqual(sequence.tokens, expected.tokens)
        return "".join(made)

    def test_the_text_is_that_of_the_c_interface(self):
        self.assertNotEqual(self.compare("In the beginning", 30, seed=1), self.compare("In the beginning", 30, seed=2))
        self.compare("And it came to pass", 20, temperature=0)
        self.compare("And it came", 20, temperature=0.5, top_k=0, top_p=0.9, min_p=0.0, repeat_penalty=1.5, seed=2**64 - 1)
        self.compare("", 5)
        self.compare("naïve 文", 1)
        self.compare("In", 0)

    def test_texts_are_whole_characters(self):
        # At such a temperature any byte comes.
        any_token = {"temperature": 20.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
        self.assertIn("\ufffd", self.compare("In", 60, **any_token))
        cut_off = [self.compare("In", 1, seed=seed, **any_token) for seed in range(100)]
        self.assertIn("\ufffd", cut_off)

    def test_a_context_that_fills_up_is_an_error_after_the_text(self):
        sequence = self.model.sequence()
        text = ""
        with self.assertRaises(bitfetch.ContextFull):
            for piece in sequence.generate("In the beginning", seed=3):
                text += piece
        self.assertEqual(len(sequence), 80)
        self.assertEqual(text, self.compare("In the beginning", None, seed=3))
        with self.assertRaises(bitfetch.ContextFull):
            next(self.model.sequence().generate("and " * 100))

    def test_it_ends_where_the_model_stops(self):
        """No prompt makes the tiny model stop for sure, so whatever it says first is taken for its end."""
        sequence = self.begun(self.model.tokenize("In the beginning"))
        stop = bitfetch.Sampler(temperature=0).sample(sequence)
        self.model.is_stop = lambda token: token == stop
        self.addCleanup(delattr, self.model, "is_stop")
        self.assertEqual(list(sequence.generate(temperature=0)), [])
        self.assertEqual(sequence.tokens[-1], stop)

    def test_whoever_stops_asking_finds_the_sequence_with_what_was_given(self):
        sequence = self.model.sequence()
        text = ""
        for piece in sequence.generate("In the beginning", temperature=0):
            text += piece
            self.assertEqual(self.model.detokenize(sequence.tokens), "In the beginning" + text)
            if len(text) > 20:
                break
        text += "".join(sequence.generate(temperature=0, max_tokens=10))
        self.assertEqual(self.model.detokenize(sequence.tokens), "In the beginning" + text)
        np.testing.assert_array_equal(sequence.logits(), self.alone(sequence.tokens))

    def test_nothing_happens_before_the_first_text_is_asked_for(self):
        sequence = self.model.sequence()
        sequence.generate("In the beginning")
        self.assertEqual(len(sequence), 0)

    def test_what_is_not_possible_is_an_error_at_once(self):
        sequence = self.model.sequence()
        for options, kind in [({"top_p": 2.0}, bitfetch.InvalidArgument), ({"seed": -1}, ValueError),
                              ({"temperature": float("nan")}, ValueError), ({"max_tokens": -1}, ValueError),
                              ({"top": 1}, TypeError), ({"top_k": 0.5}, TypeError)]:
            with self.subTest(options=options), self.assertRaises(kind):
                sequence.generate("In", **options)

    def test_a_sampler_goes_on_in_its_random_numbers(self):
        expected = self.model.sequence()
        "".join(expected.generate("In the beginning", max_tokens=20, seed=4))
        sequence = self.begun(self.model.tokenize("In the beginning"))
        with bitfetch.Sampler(seed=4) as sampler:
            for _ in range(20):
                sequence.append([sampler.sample(sequence)])
        self.assertEqual(sequence.tokens, expected.tokens)
