# SPDX-License-Identifier: Apache-2.0
"""bitfetch for Python: ternary language models on CPUs, many sequences in one pass over the weights.

    with bitfetch.Model("model.gguf") as model:
        for text in model.sequence().generate("In the beginning", max_tokens=32, seed=7):
            print(text, end="", flush=True)

A model, its sequences and batches may be used from any threads: the GIL is let go while the library
works, and calls of one model take turns. A child of os.fork can't use what its parent opened.
"""
from ._errors import BatchError, ContextFull, Error, InvalidArgument, OutOfMemory
from ._library import lib as _lib
from ._model import Model, Piece
from ._sampler import Sampler, SamplingOptions
from ._sequence import Sequence

__version__: str = _lib.bitfetch_version().decode()  # the library's

__all__ = ["BatchError", "ContextFull", "Error", "InvalidArgument", "Model", "OutOfMemory", "Piece", "Sampler",
           "SamplingOptions", "Sequence", "isa"]


def isa() -> str:
    """Of the kernels in use: "avx512vnni"; or "none"."""
    return str(_lib.bitfetch_isa(), "ascii")
