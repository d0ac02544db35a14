#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turns Llama-3's tokenizer.json into a GGUF file that has a vocabulary and no tensors.

    tools/llama3_vocab.py "$(tools/llama3_tokenizer.sh)" build/llama3-vocab.gguf

The vocabulary has its own licence, so it is made when needed and not kept here.
"""
import argparse
import json
import sys

import gguf


def vocabulary(tokenizer):
    """The metadata for a parsed tokenizer.json."""
    ids = dict(tokenizer["model"]["vocab"])
    control = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    ids.update(control)
    tokens = sorted(ids, key=ids.get)
    if [ids[token] for token in tokens] != list(range(len(tokens))):
        raise ValueError("the token ids have gaps or repeat")
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in tokenizer["model"]["merges"]]
    return {"general.architecture": "llama", "general.name": "Llama-3 vocabulary",
            **gguf.tokenizer_metadata(tokens, merges, set(control.values()), control["<|begin_of_text|>"],
                                      control["<|end_of_text|>"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", help="tokenizer.json")
    parser.add_argument("output", help="the GGUF file to write")
    arguments = parser.parse_args()
    try:
        with open(arguments.tokenizer, encoding="utf-8") as file:
            metadata = vocabulary(json.load(file))
        gguf.write(arguments.output, metadata, [])
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"error: {arguments.tokenizer}: {error}")


if __name__ == "__main__":
    main()
