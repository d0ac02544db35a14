# SPDX-License-Identifier: Apache-2.0
"""Objects of the library that Python frees."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, Self

from ._errors import check


class Handle:
    """Frees what `create` gave once nobody holds this. A call that is under way does, through its
    arguments: so another thread may close an object that is in use."""

    def __init__(self, create: Callable[..., int], free: Callable[[Any], None], *arguments: Any):
        pointer = ctypes.c_void_p()
        check(create(*arguments, ctypes.byref(pointer)))
        self._as_parameter_ = pointer  # what ctypes takes for this
        self._free = free
        self._process = os.getpid()

    @property
    def address(self) -> int | None:
        return self._as_parameter_.value

    def __del__(self) -> None:
        # A child of os.fork has none of the threads whose end this would wait for.
        if hasattr(self, "_process") and self._process == os.getpid():
            self._free(self._as_parameter_)


class Owner:
    """What is freed by close, at the end of a `with`, or when nobody refers to it any more."""

    def __init__(self, handle: Handle):
        self._open_handle: Handle | None = handle

    @property
    def _handle(self) -> Handle:
        handle = self._open_handle
        if handle is None:
            raise ValueError(f"the {type(self).__name__} is closed")
        return handle

    def close(self) -> None:
        self._open_handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
