# SPDX-License-Identifier: Apache-2.0
"""Threads, and what is freed when."""
import os
import sys
import threading
import time
import unittest
import weakref

import numpy as np

import bitfetch
from bitfetch._library import lib
from tests.support import MODEL, ModelTest, run_python, some_tokens


def count_threads():
    return len(os.listdir("/proc/self/task"))


class ThreadsTest(ModelTest):
    def test_others_run_while_one_is_in_the_library(self):
        # Nobody gets the GIL from a thread that does not let go of it, as numpy sometimes does, too.
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1000)
        sequence = self.model.sequence()
        handle = sequence._handle
        inside = seen = False
        deadline = time.monotonic() + 60

        def work():
            nonlocal inside
            for seed in range(10**6):
                if seen or time.monotonic() > deadline:
                    break
                tokens = np.array(some_tokens(400, seed), np.int32)
                inside = True
                lib.bitfetch_sequence_append(handle, tokens, len(tokens))
                inside = False
                sequence.truncate(0)

        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive() and not seen:
            seen = inside
            time.sleep(0.001)
        thread.join()
        self.assertTrue(seen)

    def test_each_gets_what_it_would_get_alone(self):
        def generate(seed):
            return list(self.model.sequence(f"{seed}").generate("In the beginning", max_tokens=20, seed=seed))

        alone = [generate(seed) for seed in range(4)]
        made = [None] * 4
        threads = [threading.Thread(target=lambda seed=seed: made.__setitem__(seed, generate(seed))) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(made, alone)

    def test_a_sequence_may_be_closed_while_another_thread_uses_it(self):
        for seed in range(20):
            sequence = self.model.sequence()
            begun = threading.Event()

            def work(sequence=sequence, begun=begun, seed=seed):
                begun.set()
                with self.assertRaisesRegex(ValueError, "closed"):
                    while True:
                        sequence.append(some_tokens(30, seed))
                        sequence.truncate(0)

            thread = threading.Thread(target=work)
            thread.start()
            begun.wait()
            sequence.close()
            thread.join()


class LifetimeTest(unittest.TestCase):
    def test_a_sequence_outlives_its_model(self):
        before = count_threads()
        model = bitfetch.Model(MODEL, threads=3)
        sequence = model.sequence()
        sequence.append([1, 2])
        model.close()
        sequence.append([3])
        fork = sequence.fork()
        with bitfetch.Model(MODEL, threads=1) as other:
            expected = other.sequence()
            expected.append([1, 2, 3])
            np.testing.assert_array_equal(fork.logits(), expected.logits())
        for use in model.sequence, lambda: model.tokenize("a"), lambda: next(sequence.generate("a")):
            with self.assertRaisesRegex(ValueError, "the Model is closed"):
                use()
        sequence.close()
        self.assertEqual(count_threads(), before + 2)
        fork.close()
        self.assertEqual(count_threads(), before)

    def test_what_is_closed_says_so_and_may_be_closed_again(self):
        with bitfetch.Model(MODEL, threads=1) as model, model.sequence() as sequence, bitfetch.Sampler() as sampler:
            sequence.append([1])
        for owner in model, sequence, sampler:
            owner.close()
        for use in (lambda: len(sequence), lambda: sequence.tokens, sequence.fork, sequence.logits,
                    lambda: sequence.append([1]), lambda: sequence.truncate(0), lambda: sampler.sample(sequence)):
            with self.assertRaisesRegex(ValueError, "is closed"):
                use()

    def test_what_nobody_refers_to_is_freed(self):
        before = count_threads()
        model = bitfetch.Model(MODEL, threads=2)
        pieces = model.sequence().generate("In the beginning")
        next(pieces)
        handle = weakref.ref(model._handle)
        del model
        self.assertIsNotNone(handle())
        del pieces
        self.assertIsNone(handle())
        self.assertEqual(count_threads(), before)

    def test_a_program_may_end_with_everything_open(self):
        self.assertEqual(run_python("import sys, bitfetch\n"
                                    "model = bitfetch.Model(sys.argv[1])\n"
                                    "sequence = model.sequence()\n"
                                    "pieces = sequence.generate('In')\n"
                                    "next(pieces)\n"
                                    "cycle = [sequence]; cycle.append(cycle)\n"
                                    "print('end')", MODEL), "end\n")

    def test_a_child_frees_nothing_of_its_parent(self):
        """For it would wait for threads that it does not have to be through with the model."""
        self.assertEqual(run_python(_FORKS, MODEL), "7\n" * 10)


_FORKS = """
import os, sys, threading, bitfetch
model = bitfetch.Model(sys.argv[1], threads=2)
busy = model.sequence()
def work():
  while go_on:
    busy.append([1] * 400)
    busy.truncate(0)
go_on = True
thread = threading.Thread(target=work)
thread.start()
for _ in range(10):
  sequence = model.sequence()
  child = os.fork()
  if child == 0:
    sequence.close()
    os._exit(7)
  print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
go_on = False
thread.join()
"""
