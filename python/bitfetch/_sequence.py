# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import codecs
import ctypes
import itertools
from typing import TYPE_CHECKING, Iterator, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._convert import c_integer, c_tokens, read
from ._errors import ContextFull, check
from ._library import lib
from ._owner import Handle, Owner
from ._sampler import Sampler, SamplingOptions

if TYPE_CHECKING:
    from ._model import Model


class Sequence(Owner):
    """A text with a model: what Model.sequence and fork give. Keeps what its model holds alive."""

    def __init__(self, model: Model, handle: Handle):
        super().__init__(handle)
        self.model = model

    def fork(self) -> Sequence:
        """Another sequence with the same content and logits, in microseconds: what both hold is shared."""
        return Sequence(self.model, Handle(lib.bitfetch_sequence_fork, lib.bitfetch_sequence_free, self._handle))

    def __len__(self) -> int:
        return int(lib.bitfetch_sequence_length(self._handle))

    def __bool__(self) -> bool:
        return True  # an empty sequence is one, too

    @property
    def tokens(self) -> list[int]:
        return list(read(lambda *out: lib.bitfetch_sequence_tokens(self._handle, *out), np.int32, len(self)).tolist())

    def append(self, tokens: ArrayLike) -> None:
        """Runs the model over more tokens. If it fails, the text is as before, but there may be no logits
        until the next append."""
        array = c_tokens(tokens)
        check(lib.bitfetch_sequence_append(self._handle, array, array.size))

    def truncate(self, length: int) -> None:
        """Forgets all but the first `length` tokens; there are no logits then until the next append."""
        check(lib.bitfetch_sequence_truncate(self._handle, c_integer("length", length, ctypes.c_int64)))

    def logits(self) -> NDArray[np.float32]:
        """What the model says of the token that comes next: float32 [vocab], which the library writes."""
        logits = np.empty(self.model.vocab, np.float32)
        check(lib.bitfetch_sequence_logits(self._handle, logits))
        return logits

    def embedding(self) -> NDArray[np.float32]:
        """What the text means, as models of embeddings say it: the state behind its last token, of length 1,
        float32 [hidden]. Such models want their end token behind a text."""
        embedding = np.empty(self.model.hidden, np.float32)
        check(lib.bitfetch_sequence_embedding(self._handle, embedding))
        return embedding

    def generate(self, prompt: str = "", *, max_tokens: int | None = None,
                 **sampling: Unpack[SamplingOptions]) -> Iterator[str]:
        """Appends the prompt, or nothing to a text that has begun, and lets the model go on, until it stops
        or for `max_tokens`. Gives text as it is made, whole characters only; the same as
        bitfetch_sequence_generate for the same options and seed.

        Nothing happens but when the next text is asked for, and then the sequence holds all that was
        given: whoever has enough stops asking, and meanwhile the sequence may be used as any other. A
        context that fills up is ContextFull, after the text; its last token is not part of the sequence.
        """
        if max_tokens is not None and max_tokens < 0:
            raise ValueError(f"max_tokens: {max_tokens} is negative")
        return self._generate(prompt, max_tokens, Sampler(**sampling))

    # Not bitfetch_sequence_generate, which calls back: that would have to run in a thread of its own, which
    # somebody who stops asking leaves behind, with the sequence in use until then; and called for a few tokens
    # at a time, it would begin its random numbers anew each time.
    def _generate(self, prompt: str, max_tokens: int | None, sampler: Sampler) -> Iterator[str]:
        characters = codecs.getincrementaldecoder("utf-8")("replace")
        self.append(self.model.tokenize(prompt, first=len(self) == 0))
        full = None
        for _ in itertools.count() if max_tokens is None else range(max_tokens):
            token = sampler.sample(self)
            # Before its text is given, since nobody may ask again.
            try:
                self.append([token])
            except ContextFull as error:
                full = error
            if self.model.is_stop(token):
                break
            if text := characters.decode(self.model.token_bytes(token)):
                yield text
            if full:
                break
        if text := characters.decode(b"", final=True):
            yield text
        if full:
            raise full
