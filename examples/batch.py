#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Goes on from a text in four ways at once: batch.py MODEL.gguf "In the beginning" """
import sys

import bitfetch

TEXTS, TOKENS = 4, 24


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} MODEL.gguf PROMPT")
    with bitfetch.Model(sys.argv[1]) as model:
        # The prompt is computed once, and its keys and values are shared by all that go on from it.
        prompt = model.sequence()
        prompt.append(model.tokenize(sys.argv[2]))
        texts = [prompt.fork() for _ in range(TEXTS)]
        samplers = [bitfetch.Sampler(seed=seed) for seed in range(TEXTS)]

        # A step appends a token to each that has not ended, and reads the weights once for all of them.
        running = list(zip(texts, samplers))
        for _ in range(TOKENS):
            drawn = [(text, sampler, sampler.sample(text)) for text, sampler in running]
            model.run((text, [token]) for text, _, token in drawn)
            running = [(text, sampler) for text, sampler, token in drawn if not model.is_stop(token)]

        for text in texts:
            print("-", model.detokenize(text.tokens))


if __name__ == "__main__":
    try:
        main()
    except bitfetch.Error as error:
        sys.exit(f"error: {error}")
