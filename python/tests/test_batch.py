# SPDX-License-Identifier: Apache-2.0
import numpy as np

import bitfetch
from tests.support import MODEL, ModelTest, some_tokens


class BatchTest(ModelTest):
    OPTIONS = {"context": 256}

    def test_each_gets_the_bits_that_it_would_get_alone(self):
        prefix = some_tokens(20, 9)
        shared = self.begun(prefix)
        sequences = [shared, shared.fork(), self.model.sequence(), self.model.sequence("salt")]
        pieces = [some_tokens(1, 1), some_tokens(70, 2), some_tokens(33, 3), some_tokens(2, 4)]
        before = [prefix, prefix, [], []]
        results = self.model.run([bitfetch.Piece(sequences[0], pieces[0]), (sequences[1], pieces[1], True),
                                  (sequences[2], np.array(pieces[2])), (sequences[3], pieces[3], True)])
        self.assertEqual([None if logits is None else logits.shape for logits in results],
                         [None, (70, 2048), None, (2, 2048)])
        all_at_once = self.model.logits(sequences)
        for i, sequence in enumerate(sequences):
            alone = self.alone(before[i] + pieces[i])
            np.testing.assert_array_equal(sequence.logits().view(np.uint32), alone.view(np.uint32))
            np.testing.assert_array_equal(all_at_once[i].view(np.uint32), alone.view(np.uint32))
            if results[i] is not None:
                np.testing.assert_array_equal(results[i][-1].view(np.uint32), alone.view(np.uint32))
        np.testing.assert_array_equal(results[1][6], self.alone(prefix + pieces[1][:7]))

    def test_samplers_draw_what_generate_draws_for_each_alone(self):
        prompt = self.begun(self.model.tokenize("In the beginning"))
        texts = [prompt.fork() for _ in range(4)]
        samplers = [bitfetch.Sampler(seed=seed) for seed in range(4)]
        for _ in range(20):
            self.model.run([(text, [sampler.sample(text)]) for text, sampler in zip(texts, samplers)])
        for seed, text in enumerate(texts):
            alone = self.model.sequence("salt")
            "".join(alone.generate("In the beginning", max_tokens=20, seed=seed))
            self.assertEqual(text.tokens, alone.tokens)

    def test_a_piece_that_fails_fails_alone(self):
        full, unknown, empty, good = (self.begun([1, 2, 3]) for _ in range(4))
        with self.assertRaisesRegex(bitfetch.BatchError, "^3 of 4 pieces failed: ") as caught:
            self.model.run([(full, some_tokens(254, 1)), (unknown, [4, 2048], True), (empty, []), (good, [4, 5], True)])
        *errors, logits = caught.exception.results
        self.assertEqual([type(error) for error in errors],
                         [bitfetch.ContextFull, bitfetch.InvalidArgument, bitfetch.InvalidArgument])
        self.assertIn("token 2048 is out of range", str(errors[1]))
        self.assertEqual([len(sequence) for sequence in (full, unknown, empty, good)], [3, 3, 3, 5])
        np.testing.assert_array_equal(logits[1], self.alone([1, 2, 3, 4, 5]))

    def test_a_batch_that_makes_no_sense_does_nothing(self):
        one = self.begun([1])
        with bitfetch.Model(MODEL, threads=1) as other_model:
            for pieces in [(one, [2]), (one, [3])], [(one, [2]), (other_model.sequence(), [3])]:
                with self.assertRaises(bitfetch.InvalidArgument):
                    self.model.run(pieces)
            with self.assertRaises(bitfetch.InvalidArgument):
                self.model.logits([one, other_model.sequence()])
        for pieces in [(one, [2.5])], [(one,)], [(one, [2], True, 4)]:
            with self.assertRaises(TypeError):
                self.model.run(pieces)
        closed = self.model.sequence()
        closed.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            self.model.run([(one, [2]), (closed, [3])])
        self.assertEqual(one.tokens, [1])

    def test_no_pieces_are_a_batch_too(self):
        self.assertEqual(self.model.run([]), [])
        self.assertEqual(self.model.logits([]).shape, (0, 2048))


class SmallPoolTest(ModelTest):
    OPTIONS = {"context": 64, "kv_tokens": 64}

    def test_a_pool_that_is_used_up_is_an_error_of_who_comes_last(self):
        first, second = self.begun(some_tokens(48, 1)), self.model.sequence("other")
        with self.assertRaisesRegex(bitfetch.Error, "every block of the KV cache is in use"):
            second.append(some_tokens(32, 2))
        self.assertEqual((len(first), len(second)), (48, 0))
        first.close()
        second.append(some_tokens(32, 2))
        np.testing.assert_array_equal(second.logits(), self.alone(some_tokens(32, 2)))
