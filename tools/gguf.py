#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes GGUF, the file format of models; run on a file, it lists what is in it.

Metadata of every type; tensors F32, F16, BF16, Q8_0, the ternary I2_S, TQ1_0, TQ2_0, and Q2_0 and PQ2_0, which are ternary
by group. Reads versions 2 and 3, writes 3. Arrays are in numpy's order: a matrix is [rows][columns], where GGUF's own dimensions name the columns first.
"""
import argparse
import collections
import math
import mmap
import os
import struct
import sys

import numpy as np

F32, F16, Q8_0, BF16, TQ1_0, TQ2_0, I2_S, Q2_0, PQ2_0 = 0, 1, 8, 30, 34, 35, 36, 42, 142
TYPE_NAMES = {F32: "F32", F16: "F16", Q8_0: "Q8_0", BF16: "BF16", TQ1_0: "TQ1_0", TQ2_0: "TQ2_0", I2_S: "I2_S", Q2_0: "Q2_0",
              PQ2_0: "PQ2_0"}
TERNARY = (I2_S, TQ1_0, TQ2_0)
GROUPS = {Q2_0: 64, PQ2_0: 128}  # elements that share a scale, where a row has many
DEFAULT_ALIGNMENT = 32

# Metadata types, by their numbers in the format.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64 = 4, 5, 6, 7, 8, 9, 10, 11

Typed = collections.namedtuple("Typed", "type value")  # a metadata value of a given type; for a list, of its elements
Tensor = collections.namedtuple("Tensor", "name shape type offset size")


class GgufError(Exception):
    pass


# --------------------------------------------------------------------------------------- tensor data, one type at a time


def _tq1_digits(packed, count):
    """TQ1_0's base-3 digits of bytes [blocks][bytes], most significant first: [blocks][count * bytes]."""
    powers = np.array([3 ** i for i in range(count)], np.uint16)[:, None]
    fraction = (packed[:, None] * powers).astype(np.uint8)  # what is left of the byte's fraction after i digits
    return (fraction.astype(np.uint16) * 3 >> 8).astype(np.uint8).reshape(len(packed), -1)


def _blocks(data, size):
    return np.frombuffer(data, np.uint8).reshape(-1, size)


def _unpack_ternary(type_, data):
    """(values -1, 0, 1 as int8 [n], scales float32 [number of scales], elements that share one)"""
    if type_ == I2_S:
        n = (len(data) - 32) * 4
        packed = _blocks(data[:n // 4], 32)
        codes = np.stack([packed >> 6, packed >> 4 & 3, packed >> 2 & 3, packed & 3], 1)
        scale = np.frombuffer(data, np.float32, 1, n // 4)
        share = n
    elif type_ == TQ1_0:
        block = _blocks(data, 54)
        codes = np.concatenate([_tq1_digits(block[:, :32], 5), _tq1_digits(block[:, 32:48], 5),
                                _tq1_digits(block[:, 48:52], 4)], 1)
        scale, share = block[:, 52:].copy().view(np.float16), 256
    else:
        block = _blocks(data, 66)
        packed = block[:, :64].reshape(-1, 2, 1, 32)
        codes = packed >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
        scale, share = block[:, 64:].copy().view(np.float16), 256
    if codes.max(initial=0) > 2:
        raise GgufError(f"a code 3 in {TYPE_NAMES[type_]} data")
    return codes.astype(np.int8).ravel() - 1, scale.astype(np.float32).ravel(), share


def _pack_ternary(type_, values, scale):
    codes = (values.ravel() + 1).astype(np.uint8)
    if type_ == I2_S:
        c = codes.reshape(-1, 4, 32)
        packed = c[:, 0] << 6 | c[:, 1] << 4 | c[:, 2] << 2 | c[:, 3]
        return packed.tobytes() + struct.pack("<f28x", scale)
    half = np.full((codes.size // 256, 1), scale, np.float16).view(np.uint8)
    codes = codes.reshape(-1, 256)
    if type_ == TQ2_0:
        c = codes.reshape(-1, 2, 4, 32)
        packed = c[:, :, 0] | c[:, :, 1] << 2 | c[:, :, 2] << 4 | c[:, :, 3] << 6
        return np.concatenate([packed.reshape(-1, 64), half], 1).tobytes()
    parts = []
    for first, count, width in ((0, 5, 32), (160, 5, 16), (240, 4, 4)):
        digits = codes[:, first:first + count * width].reshape(-1, count, width).astype(np.uint32)
        number = sum(digits[:, i] * 3 ** (4 - i) for i in range(count))
        parts.append(((number * 256 + 242) // 243).astype(np.uint8))  # a fraction of 3^5, rounded up
    return np.concatenate([*parts, half], 1).tobytes()


def _unpack_groups(data, size):
    """float32 [groups][size]"""
    group = _blocks(data, 2 + size // 4)
    codes = (group[:, 2:, None] >> np.array([0, 2, 4, 6], np.uint8) & 3).reshape(-1, size)
    return (codes.astype(np.float32) - 1) * group[:, :2].copy().view(np.float16).astype(np.float32)


def _pack_groups(array, size):
    """Of groups of -s, 0, s and 2s, with an s of their own."""
    groups = array.astype(np.float32).reshape(-1, size)
    scale = np.where(groups != 0, np.abs(groups), np.inf).min(1, keepdims=True)
    scale[np.isinf(scale)] = 1
    codes = (np.rint(groups / scale) + 1).astype(np.uint8).reshape(-1, size // 4, 4)
    packed = codes[..., 0] | codes[..., 1] << 2 | codes[..., 2] << 4 | codes[..., 3] << 6
    return np.concatenate([scale.astype(np.float16).view(np.uint8), packed], 1).tobytes()


def _pack(type_, array):
    array = np.asarray(array)
    if type_ in GROUPS:
        return _pack_groups(array, GROUPS[type_])
    if type_ == F32:
        return array.astype("<f4").tobytes()
    if type_ == F16:
        return array.astype("<f2").tobytes()
    if type_ == BF16:
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
        return (bits + 0x7FFF + (bits >> 16 & 1) >> 16).astype("<u2").tobytes()  # half to even
    if type_ == Q8_0:
        block = array.astype(np.float32).reshape(-1, 32)
        scale = np.abs(block).max(1, keepdims=True) / np.float32(127)
        q = np.rint(block / np.where(scale > 0, scale, 1)).astype(np.int8)
        return np.concatenate([scale.astype(np.float16).view(np.uint8), q.view(np.uint8)], 1).tobytes()
    scale = np.abs(array).max()
    return _pack_ternary(type_, np.rint(array / (scale or 1)), scale)


def _size(type_, shape):
    """Bytes of a tensor's data."""
    n = math.prod(shape)
    per_block, block = {F32: (1, 4), F16: (1, 2), BF16: (1, 2), Q8_0: (32, 34), TQ1_0: (256, 54), TQ2_0: (256, 66),
                        I2_S: (128, 32), Q2_0: (64, 18), PQ2_0: (128, 34)}[type_]
    row = n if type_ == I2_S else shape[-1]  # the blocks of I2_S run over the flattened tensor
    if row % per_block:
        raise GgufError(f"rows of {row} elements are no whole number of {TYPE_NAMES[type_]} blocks of {per_block}")
    return n // per_block * block + (32 if type_ == I2_S else 0)


# -------------------------------------------------------------------------------------------------------------- reading


class Reader:
    """A GGUF file: `metadata` by key, `tensors` by name; data is read when asked for."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise GgufError(f"{path}: the file is empty")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._at = 4
        if self._data[:4] != b"GGUF":
            raise GgufError(f"{path}: not a GGUF file")
        self.version = self._scalar("I")
        if self.version not in (2, 3):
            raise GgufError(f"{path}: GGUF version {self.version}; only 2 and 3 are read")
        tensors, keys = self._scalar("Q"), self._scalar("Q")
        self.metadata = {}
        for _ in range(keys):
            key = self._string()
            self.metadata[key] = self._value(self._scalar("I"))
        infos = [self._tensor_info() for _ in range(tensors)]
        alignment = self.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        base = -(-self._at // alignment) * alignment
        self.tensors = {i.name: i._replace(offset=base + i.offset) for i in infos}

    def _scalar(self, code):
        self._at += struct.calcsize("<" + code)
        if self._at > len(self._data):
            raise GgufError(f"{self.path}: the file ends within its header")
        return struct.unpack_from("<" + code, self._data, self._at - struct.calcsize("<" + code))[0]

    def _string(self):
        length = self._scalar("Q")
        self._at += length
        return self._data[self._at - length:self._at].decode("utf-8")

    def _value(self, type_):
        if type_ == STRING:
            return self._string()
        if type_ == ARRAY:
            element, count = self._scalar("I"), self._scalar("Q")
            return [self._value(element) for _ in range(count)]
        if type_ not in SCALARS:
            raise GgufError(f"{self.path}: unknown metadata type {type_}")
        return self._scalar(SCALARS[type_])

    def _tensor_info(self):
        name = self._string()
        shape = tuple(self._scalar("Q") for _ in range(self._scalar("I")))[::-1]
        type_, offset = self._scalar("I"), self._scalar("Q")
        if type_ not in TYPE_NAMES:
            raise GgufError(f"{self.path}: {name} has type {type_}, which this reader does not know")
        return Tensor(name, shape, type_, offset, _size(type_, shape))

    def raw(self, name):
        if name not in self.tensors:
            raise GgufError(f"{self.path}: no tensor {name}")
        tensor = self.tensors[name]
        data = self._data[tensor.offset:tensor.offset + tensor.size]
        if len(data) != tensor.size:
            raise GgufError(f"{self.path}: {name} ends after the file does")
        return tensor, data

    def array(self, name):
        """A tensor as float32."""
        tensor, data = self.raw(name)
        if tensor.type == F32:
            values = np.frombuffer(data, "<f4")
        elif tensor.type == F16:
            values = np.frombuffer(data, "<f2").astype(np.float32)
        elif tensor.type == BF16:
            values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        elif tensor.type == Q8_0:
            block = _blocks(data, 34)
            values = block[:, 2:].view(np.int8) * block[:, :2].copy().view(np.float16).astype(np.float32)
        elif tensor.type in GROUPS:
            values = _unpack_groups(data, GROUPS[tensor.type])
        else:
            values, scale, share = _unpack_ternary(tensor.type, data)
            values = values.reshape(-1, share) * scale[:, None]
        return values.reshape(tensor.shape)

    def ternary(self, name):
        """A ternary tensor as (int8 values -1, 0, 1; its one scale)."""
        tensor, data = self.raw(name)
        if tensor.type not in TERNARY:
            raise GgufError(f"{self.path}: {name} is {TYPE_NAMES[tensor.type]}, not ternary")
        values, scales, _ = _unpack_ternary(tensor.type, data)
        scales = np.unique(scales[scales != 0])
        if len(scales) > 1:
            raise GgufError(f"{self.path}: {name} has more than one scale")
        return values.reshape(tensor.shape), scales[0] if len(scales) else np.float32(0)


# -------------------------------------------------------------------------------------------------------------- writing


def _typed(value):
    """The type that a plain Python value is written as."""
    if isinstance(value, Typed):
        return value
    if isinstance(value, list):
        return Typed(_typed(value[0]).type, value)
    return Typed({bool: BOOL, int: UINT32, float: FLOAT32, str: STRING}[type(value)], value)


def _pack_string(text):
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def _pack_value(type_, value):
    return _pack_string(value) if type_ == STRING else struct.pack("<" + SCALARS[type_], value)


def _pack_metadata(value):
    type_, value = _typed(value)
    if isinstance(value, list):
        return struct.pack("<IIQ", ARRAY, type_, len(value)) + b"".join(_pack_value(type_, v) for v in value)
    return struct.pack("<I", type_) + _pack_value(type_, value)


def write(path, metadata, tensors):
    """Writes metadata {key: value} and tensors [(name, type, array)]; an array of a ternary type holds -s, 0 and s.

    In one that is ternary by group each group holds -s, 0, s and 2s, with an s of its own.
    """
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    header = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    header += [_pack_string(key) + _pack_metadata(value) for key, value in metadata.items()]
    offset, chunks = 0, []
    for name, type_, array in tensors:
        size = _size(type_, array.shape)
        data = _pack(type_, array)
        if len(data) != size:
            raise GgufError(f"{name}: {len(data)} bytes of data where {size} belong")
        header.append(_pack_string(name) + struct.pack(f"<I{array.ndim}Q", array.ndim, *array.shape[::-1])
                      + struct.pack("<IQ", type_, offset))
        chunks.append(data + bytes(-len(data) % alignment))
        offset += len(chunks[-1])
    header = b"".join(header)
    partial = f"{path}.partial"
    with open(partial, "wb") as file:
        file.write(header + bytes(-len(header) % alignment))
        file.writelines(chunks)
    os.replace(partial, path)


def model_metadata(name, *, architecture="bitnet-b1.58", layers, context, hidden, feed_forward, heads, kv_heads, head_dim,
                   vocab, rope_theta, epsilon):
    """The keys that describe a model, as the published BitNet b1.58 2B4T file has them."""
    shape = {"vocab_size": vocab, "context_length": context, "embedding_length": hidden, "block_count": layers,
             "feed_forward_length": feed_forward, "rope.dimension_count": head_dim, "attention.head_count": heads,
             "attention.head_count_kv": kv_heads, "attention.layer_norm_rms_epsilon": float(epsilon),
             "rope.freq_base": float(rope_theta)}
    if head_dim * heads != hidden:
        shape |= {"attention.key_length": head_dim, "attention.value_length": head_dim}
    return {"general.architecture": architecture, "general.name": name,
            **{f"{architecture}.{key}": value for key, value in shape.items()}}


def tokenizer_metadata(tokens, merges, control_ids, bos, eos):
    """The keys of a byte-level BPE vocabulary; merges are pairs of strings."""
    types = [3 if i in control_ids else 1 for i in range(len(tokens))]
    return {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": Typed(INT32, types),
            "tokenizer.ggml.merges": Typed(STRING, [" ".join(pair) for pair in merges]),
            "tokenizer.ggml.bos_token_id": bos, "tokenizer.ggml.eos_token_id": eos, "tokenizer.ggml.add_bos_token": True}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example: tools/gguf.py models/tiny.gguf")
    parser.add_argument("file")
    try:
        reader = Reader(parser.parse_args().file)
    except (GgufError, OSError, ValueError, struct.error) as error:
        sys.exit(f"error: {error}")
    for key, value in reader.metadata.items():
        print(f"{key} = {value if not isinstance(value, list) else f'{len(value)} values: {value[:4]} ...'}")
    for tensor in reader.tensors.values():
        print(f"{tensor.name} {list(tensor.shape)} {TYPE_NAMES[tensor.type]} {tensor.size} bytes at {tensor.offset}")


if __name__ == "__main__":
    main()
