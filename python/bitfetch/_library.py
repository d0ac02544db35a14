# SPDX-License-Identifier: Apache-2.0
"""libbitfetch, found and declared: what bitfetch.h has of models, sequences, samplers and batches.

ctypes.CDLL lets go of the GIL during each call.
"""
import ctypes
import os
import pathlib
from ctypes import POINTER, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint64, c_void_p

import numpy as np

from ._version import VERSION

SONAME = "libbitfetch.so." + VERSION.rpartition(".")[0]


class ModelOptions(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("threads", c_int), ("context", c_int64), ("kv_tokens", c_int64),
                ("kv_type", c_char_p), ("pages", c_char_p), ("prefetch", c_char_p), ("prefetch_ahead", c_int),
                ("mmap", c_int), ("cache_dir", c_char_p), ("cache_disk", c_int64),
                ("kv_store", c_char_p)]


class Sampling(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("max_tokens", c_int64), ("temperature", c_double), ("top_k", c_int),
                ("top_p", c_double), ("min_p", c_double), ("repeat_penalty", c_double), ("seed", c_uint64),
                ("draft", c_char_p)]


class Piece(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("sequence", c_void_p), ("tokens", c_void_p), ("count", c_size_t),
                ("logits", c_void_p), ("status", c_int), ("message", c_char_p)]


_tokens = np.ctypeslib.ndpointer(np.int32, flags="C_CONTIGUOUS")
_floats = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
_bytes = np.ctypeslib.ndpointer(np.uint8, flags="C_CONTIGUOUS")
_count = POINTER(c_size_t)
_out = POINTER(c_void_p)

_FUNCTIONS = {
    "last_error": (c_char_p,),
    "version": (c_char_p,),
    "isa": (c_char_p,),
    "model_options_init": (c_int, POINTER(ModelOptions), c_size_t),
    "model_open": (c_int, c_char_p, POINTER(ModelOptions), _out),
    "model_close": (None, c_void_p),
    "model_vocab": (c_int64, c_void_p),
    "model_hidden": (c_int64, c_void_p),
    "model_context": (c_int64, c_void_p),
    "model_tokenize": (c_int, c_void_p, c_char_p, c_size_t, c_int, c_int, _tokens, c_size_t, _count),
    "model_token_bytes": (c_int, c_void_p, c_int32, POINTER(c_void_p), _count),
    "model_detokenize": (c_int, c_void_p, _tokens, c_size_t, _bytes, c_size_t, _count),
    "model_is_stop": (c_int, c_void_p, c_int32),
    "sequence_create": (c_int, c_void_p, c_char_p, _out),
    "sequence_fork": (c_int, c_void_p, _out),
    "sequence_free": (None, c_void_p),
    "sequence_length": (c_int64, c_void_p),
    "sequence_tokens": (c_int, c_void_p, _tokens, c_size_t, _count),
    "sequence_append": (c_int, c_void_p, _tokens, c_size_t),
    "sequence_truncate": (c_int, c_void_p, c_int64),
    "sequence_logits": (c_int, c_void_p, _floats),
    "sequence_embedding": (c_int, c_void_p, _floats),
    "sampling_init": (c_int, POINTER(Sampling), c_size_t),
    "sampler_create": (c_int, POINTER(Sampling), _out),
    "sampler_free": (None, c_void_p),
    "sampler_sample": (c_int, c_void_p, c_void_p, POINTER(c_int32)),
    "batch_run": (c_int, c_void_p, POINTER(Piece), c_size_t),
    "batch_logits": (c_int, c_void_p, POINTER(c_void_p), c_size_t, _floats),
}


def _path() -> str:
    if named := os.environ.get("BITFETCH_LIBRARY"):
        return named
    beside = pathlib.Path(__file__).with_name(SONAME)
    return str(beside) if beside.exists() else SONAME  # the system's


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_path())
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(library, "bitfetch_" + name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ImportError(f"{error}; the environment variable BITFETCH_LIBRARY may name {SONAME}") from None
    return library


lib = _load()
