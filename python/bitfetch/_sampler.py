# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, TypedDict

from ._convert import fill
from ._errors import check
from ._library import Sampling, lib
from ._owner import Handle, Owner

if TYPE_CHECKING:
    from ._sequence import Sequence


class SamplingOptions(TypedDict, total=False):
    """How tokens are drawn; what is missing has the library's default."""

    temperature: float  # 0: always the likeliest token
    top_k: int  # 0: all
    top_p: float  # 1: all
    min_p: float  # 0: all
    repeat_penalty: float  # 1: none
    seed: int


class Sampler(Owner):
    """Draws tokens, and goes on in its random numbers from one to the next. For one thread at a time."""

    def __init__(self, *, temperature: float | None = None, top_k: int | None = None, top_p: float | None = None,
                 min_p: float | None = None, repeat_penalty: float | None = None, seed: int | None = None):
        sampling = Sampling()
        check(lib.bitfetch_sampling_init(sampling, ctypes.sizeof(sampling)))
        fill(sampling, [("temperature", temperature), ("top_k", top_k), ("top_p", top_p), ("min_p", min_p),
                        ("repeat_penalty", repeat_penalty), ("seed", seed)])
        super().__init__(Handle(lib.bitfetch_sampler_create, lib.bitfetch_sampler_free, sampling))

    def sample(self, sequence: Sequence) -> int:
        """The token that comes next in `sequence`, which is not appended."""
        token = ctypes.c_int32()
        check(lib.bitfetch_sampler_sample(self._handle, sequence._handle, token))
        return token.value
