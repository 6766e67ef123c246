"""Bytes of a summary: a versioned frame with a checksum, never a pickle.

    b"MMON" | kind: 4 ASCII bytes | version: uint16 | XXH3-64 of the payload | payload

The payload is MessagePack, compressed with zstd; integers are little-endian. A frame of a later version is refused, and
so is one from before the oldest version that its reader knows.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any, TypeVar

import msgspec
import numpy as np
import xxhash
import zstandard

from monitor.errors import CodecError, FormatError

_FRAME = struct.Struct("<4s4sHQ")
T = TypeVar("T")

_MAGIC = b"MMON"
_BYTES_MAX = 1 << 30


def sha256(data: bytes) -> str:
    """What receipts name content by: its digest, with the algorithm's name before it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def pack(kind: str, version: int, value: Any) -> bytes:
    """The frame of a value made of plain types, dataclasses and arrays; `kind` has four letters."""
    payload = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(value, enc_hook=_array))
    return _FRAME.pack(_MAGIC, kind.encode("ascii"), version, xxhash.xxh3_64_intdigest(payload)) + payload


def unpack(kind: str, newest: int, data: bytes, shape: type[T], *, oldest: int = 1) -> T:
    """The value of a frame; FormatError where it is newer than `newest` or from before `oldest`, CodecError where it is
    another kind or not what was written.
    """
    if len(data) < _FRAME.size:
        raise CodecError(f"these {len(data)} bytes are no {kind} summary: they are shorter than its header")
    magic, found, version, checksum = _FRAME.unpack_from(data)
    payload = data[_FRAME.size :]
    if magic != _MAGIC or found != kind.encode("ascii"):
        raise CodecError(f"these bytes are no {kind} summary: they begin with {magic + found!r}")
    if version > newest:
        raise FormatError(f"this {kind} summary has version {version}, this program reads up to {newest}")
    if version < oldest:
        raise FormatError(f"this {kind} summary has version {version}, this program reads from {oldest} on")
    if xxhash.xxh3_64_intdigest(payload) != checksum:
        raise CodecError(f"this {kind} summary was damaged: its checksum does not fit its bytes")
    try:
        plain = zstandard.ZstdDecompressor().decompress(payload, max_output_size=_BYTES_MAX)
        return msgspec.msgpack.decode(plain, type=shape, dec_hook=_of_array)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise CodecError(f"this {kind} summary cannot be read: {error}") from error


def _array(value: object) -> tuple[str, tuple[int, ...], bytes]:
    if isinstance(value, np.ndarray):
        return value.dtype.newbyteorder("<").str, value.shape, value.astype(value.dtype.newbyteorder("<")).tobytes()
    raise NotImplementedError(f"a {type(value).__name__} has no place in a summary")


def _of_array(shape: type, value: Any) -> Any:
    kind, sizes, data = value
    return np.frombuffer(data, dtype=kind).reshape(tuple(sizes)).copy()
