#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Byte-level byte-pair encoding: a small trainer, an encoder and a decoder.

The vocabulary has the form that GPT-2 and Llama 3 use and that GGUF stores as `tokenizer.ggml.model = gpt2`: every byte
is written as one printable character, text is first cut into words by a pattern, and merges never cross words. The
pattern is Llama 3's (`tokenizer.ggml.pre = llama-bpe`), written for Python's `re`: exact for ASCII, close elsewhere.
"""
import collections
import re

LETTER, NUMBER = r"[^\W\d_]", r"\d"
SPACE = r"[^\S\x1c-\x1f]"  # Unicode's White_Space; Python's \s has four separators more
PATTERN = re.compile(
    r"'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])"
    rf"|(?:[^\w\r\n]|_)?{LETTER}+"
    rf"|{NUMBER}{{1,3}}"
    r"| ?(?:[^\w\s]|[_\x1c-\x1f])+[\r\n]*"
    rf"|{SPACE}*[\r\n]+"
    rf"|{SPACE}+(?![\S\x1c-\x1f])"
    rf"|{SPACE}+")


def _byte_alphabet():
    """GPT-2's printable character for each byte: itself where printable, else the next free one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(256 + i) for i, b in enumerate(others)}}


BYTE_TO_CHAR = _byte_alphabet()
CHAR_TO_BYTE = {c: b for b, c in BYTE_TO_CHAR.items()}


def to_chars(text):
    return "".join(BYTE_TO_CHAR[b] for b in text.encode("utf-8"))


def train(text, vocab_size):
    """Merges, as pairs of strings, that grow the 256 bytes to vocab_size tokens. Ties go to the pair that sorts first."""
    words = [[list(word), count]
             for word, count in collections.Counter(to_chars(w) for w in PATTERN.findall(text)).items()]
    counts, where = collections.Counter(), collections.defaultdict(set)
    for index, (symbols, count) in enumerate(words):
        for pair in zip(symbols, symbols[1:]):
            counts[pair] += count
            where[pair].add(index)

    merges = []
    while len(merges) < vocab_size - 256:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for index in where.pop(best):
            symbols, count = words[index]
            for pair in zip(symbols, symbols[1:]):
                counts[pair] -= count
            words[index][0] = symbols = _merge(symbols, best)
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
                where[pair].add(index)
        del counts[best]
    return merges


def _merge(symbols, pair):
    merged, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            merged.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def vocabulary(merges, control_tokens):
    """The token strings by id: the 256 bytes, what the merges make, then the control tokens."""
    return [BYTE_TO_CHAR[b] for b in range(256)] + [a + b for a, b in merges] + list(control_tokens)


class Tokenizer:
    """Encodes and decodes plain text; control tokens are only ever ids, never read from text."""

    def __init__(self, tokens, merges, control_tokens):
        self.tokens = tokens
        self.control_ids = {i for i, t in enumerate(tokens) if t in set(control_tokens)}
        self.id_of = {t: i for i, t in enumerate(tokens)}
        self.rank = {tuple(pair): i for i, pair in enumerate(merges)}
        self._cache = {}

    def encode(self, text):
        return [i for word in PATTERN.findall(text) for i in self._encode_word(word)]

    def _encode_word(self, word):
        if word not in self._cache:
            chars = to_chars(word)
            # Llama 3 looks a whole word up before it merges.
            symbols = [chars] if chars in self.id_of else list(chars)
            while len(symbols) > 1:
                best = min(zip(symbols, symbols[1:]), key=lambda pair: self.rank.get(pair, len(self.rank)))
                if best not in self.rank:
                    break
                symbols = _merge(symbols, best)
            self._cache[word] = [self.id_of[s] for s in symbols]
        return self._cache[word]

    def token_bytes(self, token):
        """The bytes that a token stands for; none for a control token."""
        return b"" if token in self.control_ids else bytes(CHAR_TO_BYTE[c] for c in self.tokens[token])

    def decode(self, ids):
        return b"".join(self.token_bytes(i) for i in ids).decode("utf-8", errors="replace")
