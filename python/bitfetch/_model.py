# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import os
from typing import Iterable, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._convert import c_integer, c_string, c_tokens, fill, read
from ._errors import BatchError, check, error_of
from ._library import ModelOptions, Piece as CPiece, lib
from ._owner import Handle, Owner
from ._sequence import Sequence


class Piece(NamedTuple):
    """A part of a batch: tokens, at least one, to append to a sequence."""

    sequence: Sequence
    tokens: ArrayLike
    all_logits: bool = False  # those behind each of the tokens are wanted


class Model(Owner):
    """A model, which many sequences share. What it holds lives on until the last of them is closed."""

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None, context: int | None = None,
                 kv_tokens: int | None = None, kv_type: str | None = None, pages: str | None = None,
                 prefetch: str | None = None, prefetch_ahead: bool | None = None, mmap: bool | None = None,
                 cache_dir: str | os.PathLike[str] | None = None, cache_disk: int | None = None,
                 kv_store: str | None = None):
        """Loads a GGUF file. Options are those of bitfetch_model_options, whose defaults fit most."""
        options = ModelOptions()
        check(lib.bitfetch_model_options_init(options, ctypes.sizeof(options)))
        fill(options, [("threads", threads), ("context", context), ("kv_tokens", kv_tokens), ("kv_type", kv_type),
                       ("pages", pages), ("prefetch", prefetch), ("prefetch_ahead", prefetch_ahead), ("mmap", mmap),
                       ("cache_dir", cache_dir), ("cache_disk", cache_disk), ("kv_store", kv_store)])
        handle = Handle(lib.bitfetch_model_open, lib.bitfetch_model_close, c_string("path", path), options)
        super().__init__(handle)
        self.vocab: int = lib.bitfetch_model_vocab(handle)
        self.hidden: int = lib.bitfetch_model_hidden(handle)  # floats of an embedding
        self.context: int = lib.bitfetch_model_context(handle)  # tokens of a sequence

    def tokenize(self, text: str, *, first: bool = True, special: bool = False) -> list[int]:
        """`first`: the text begins a sequence, BOS in front where the model wants one. `special`: names of
        control tokens in the text, such as "<|eot_id|>", are these tokens; never for what a user typed."""
        data = text.encode()
        tokens = read(lambda *out: lib.bitfetch_model_tokenize(self._handle, data, len(data), first, special, *out),
                      np.int32, len(data) + 1)
        return list(tokens.tolist())

    def detokenize(self, tokens: ArrayLike) -> str:
        """The text of tokens in a row; bytes that are no character become U+FFFD."""
        array = c_tokens(tokens)
        return read(lambda *out: lib.bitfetch_model_detokenize(self._handle, array, array.size, *out),
                    np.uint8, 8 * array.size).tobytes().decode(errors="replace")

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token, maybe a part of a character, none of a control token."""
        data, count = ctypes.c_void_p(), ctypes.c_size_t()
        handle = self._handle  # has the bytes
        check(lib.bitfetch_model_token_bytes(handle, c_integer("token", token, ctypes.c_int32), data, count))
        return ctypes.string_at(data, count.value)

    def is_stop(self, token: int) -> bool:
        """Whether the model ends an answer with this token, as Sequence.generate does."""
        return bool(lib.bitfetch_model_is_stop(self._handle, c_integer("token", token, ctypes.c_int32)))

    def sequence(self, salt: str = "") -> Sequence:
        """An empty sequence, in microseconds. Those with the same salt share what was computed for tokens that
        they begin with: whoever can time an answer learns whether its first tokens were computed before."""
        return Sequence(self, Handle(lib.bitfetch_sequence_create, lib.bitfetch_sequence_free, self._handle,
                                     c_string("salt", salt)))

    def run(self, pieces: Iterable[Piece | tuple[Sequence, ArrayLike] | tuple[Sequence, ArrayLike, bool]]
            ) -> list[NDArray[np.float32] | None]:
        """Appends to each sequence its tokens, in passes over the weights that all share. Each gets the bits that
        it would get alone. Returns for each piece its logits, float32 [tokens][vocab], or None if they are not
        wanted. Pieces that fail leave their sequences as append would and the others alone: BatchError."""
        given = [Piece(*piece) for piece in pieces]
        handles = [piece.sequence._handle for piece in given]
        tokens = [c_tokens(piece.tokens) for piece in given]
        results = [np.empty((array.size, self.vocab), np.float32) if piece.all_logits else None
                   for piece, array in zip(given, tokens)]
        batch = (CPiece * len(given))(*(
            CPiece(ctypes.sizeof(CPiece), handle.address, array.ctypes.data, array.size,
                   None if logits is None else logits.ctypes.data)
            for handle, array, logits in zip(handles, tokens, results)))
        check(lib.bitfetch_batch_run(self._handle, batch, len(batch)))
        errors = {i: error_of(piece.status, piece.message) for i, piece in enumerate(batch) if piece.status != 0}
        if errors:
            raise BatchError([errors.get(i, result) for i, result in enumerate(results)])
        return results

    def logits(self, sequences: Iterable[Sequence]) -> NDArray[np.float32]:
        """Sequence.logits of each, with one read of the model's output head: float32 [sequences][vocab]."""
        handles = [sequence._handle for sequence in sequences]
        logits = np.empty((len(handles), self.vocab), np.float32)
        addresses = (ctypes.c_void_p * len(handles))(*(handle.address for handle in handles))
        check(lib.bitfetch_batch_logits(self._handle, addresses, len(handles), logits))
        return logits
