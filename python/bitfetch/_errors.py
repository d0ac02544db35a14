# SPDX-License-Identifier: Apache-2.0
"""What a bitfetch_status is in Python."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._library import lib


class Error(Exception):
    """What the library could not do: one line that says what was wrong and where."""


class InvalidArgument(Error, ValueError):
    """A name, a number or a token that is not possible."""


class OutOfMemory(Error, MemoryError):
    """There was no memory for it; what there was before is as it was."""


class ContextFull(Error):
    """The sequence has no room for so many tokens."""


class BatchError(Error):
    """Pieces of a batch failed. The others ran: `results` is what Model.run would have returned, with
    the Error of each piece that failed in its place."""

    def __init__(self, results: list[NDArray[np.float32] | None | Error]):
        errors = [result for result in results if isinstance(result, Error)]
        super().__init__(f"{len(errors)} of {len(results)} pieces failed: {errors[0]}")
        self.results = results


_OF_STATUS = {1: InvalidArgument, 3: OutOfMemory, 5: ContextFull}


def error_of(status: int, message: bytes) -> Error:
    return _OF_STATUS.get(status, Error)(message.decode(errors="replace"))


def check(status: int) -> None:
    if status != 0:
        raise error_of(status, lib.bitfetch_last_error())
