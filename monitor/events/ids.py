"""Digests of ids: XXH3-64 of the UTF-8 bytes, frozen by its specification, the same on every machine.

At nine billion pending predictions two of them are expected to share a digest; a receipt can be replayed because
no library's `hash()` is involved.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xxhash
from numpy.typing import NDArray

from monitor.events.batch import Origin


def digest(text: str) -> int:
    """The 64-bit digest of one string."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8"))


def digests(ids: Iterable[str]) -> NDArray[np.uint64]:
    """uint64[n]: the digest of each id."""
    hashed = xxhash.xxh3_64_intdigest
    return np.fromiter((hashed(text.encode("utf-8")) for text in ids), dtype=np.uint64)


def position_digests(origin: Origin) -> NDArray[np.uint64]:
    """uint64[n]: topic, partition, offset and row identify an event that carries no id."""
    places = zip(origin.partition.tolist(), origin.offset.tolist(), origin.row.tolist(), strict=True)
    return digests(f"\0{origin.topic}\0{partition}\0{offset}\0{row}" for partition, offset, row in places)
