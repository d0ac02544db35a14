# SPDX-License-Identifier: Apache-2.0
"""From Python to C and back, without the silence in which ctypes and numpy cut what does not fit."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._errors import check


def c_string(name: str, value: str | os.PathLike[str]) -> bytes:
    encoded = os.fsencode(value)
    if b"\0" in encoded:
        raise ValueError(f"{name}: has a null character")
    return encoded


def c_integer(name: str, value: int, kind: type) -> Any:
    converted = kind(value)
    if converted.value != value:
        raise ValueError(f"{name}: {value} is out of range")
    return converted


def c_tokens(tokens: ArrayLike) -> NDArray[np.int32]:
    """As [tokens] of int32; no copy of what is that already."""
    array = np.asarray(tokens)
    if array.size == 0:
        return np.empty(0, np.int32)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError("tokens: these are not integers in a row")
    whole = np.ascontiguousarray(array, np.int32)
    if not np.array_equal(whole, array):
        raise ValueError("tokens: there is one that has more than 32 bits")
    return whole


def fill(struct: ctypes.Structure, values: Iterable[tuple[str, Any]]) -> None:
    """Sets the fields that are not None."""
    types = dict(struct._fields_)
    for name, value in values:
        if value is None:
            continue
        try:
            if types[name] is ctypes.c_char_p:  # which takes a number for an address
                value = c_string(name, value)
            setattr(struct, name, value)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        if getattr(struct, name) != value:
            raise ValueError(f"{name}: {value} is out of range")


def read(call: Callable[[NDArray[Any], int, Any], int], dtype: type, expected: int) -> NDArray[Any]:
    """All that `call` (to, capacity, count) writes, which is called again if `expected` was too few."""
    count = ctypes.c_size_t(expected)
    while True:
        array: NDArray[Any] = np.empty(count.value, dtype)
        check(call(array, array.size, ctypes.byref(count)))
        if count.value <= array.size:
            return array[:count.value]
