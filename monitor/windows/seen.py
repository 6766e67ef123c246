"""Which ids may have been accepted before: a register-blocked Bloom filter for each open window.

No false negatives; at BITS_PER_ID bits an id about one id in a hundred is suspected wrongly, and the store confirms.
Putze, Sanders and Singler, "Cache-, hash- and space-efficient Bloom filters", JEA 14, 2009. Memory: 2 bytes an id
of the open windows, in blocks that double.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BITS_PER_ID = 16
_FIRST_IDS = 4096


def _words_and_masks(key: NDArray[np.uint64], words: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The word of each key and the four bits in it, from different parts of the (well mixed) key."""
    six = np.uint64(63)
    one = np.uint64(1)
    mask = (one << (key & six)) | (one << ((key >> np.uint64(6)) & six))
    mask |= (one << ((key >> np.uint64(12)) & six)) | (one << ((key >> np.uint64(18)) & six))
    return (key >> np.uint64(24)) & np.uint64(words - 1), mask


@dataclass(slots=True)
class Filter:
    """Ids of one window: blocks of uint64 words, each holding as many ids as it is sized for."""

    blocks: list[NDArray[np.uint64]] = field(default_factory=list)
    room: int = 0

    def add(self, key: NDArray[np.uint64]) -> None:
        while len(key):
            if self.room == 0:
                ids = _FIRST_IDS << len(self.blocks)
                self.blocks.append(np.zeros(ids * BITS_PER_ID // 64, dtype=np.uint64))
                self.room = ids
            part, key = key[: self.room], key[self.room :]
            word, mask = _words_and_masks(part, len(self.blocks[-1]))
            np.bitwise_or.at(self.blocks[-1], word, mask)
            self.room -= len(part)

    def contains(self, key: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """bool[n]: False where the id was certainly not added."""
        found = np.zeros(len(key), dtype=np.bool_)
        for block in self.blocks:
            word, mask = _words_and_masks(key, len(block))
            found |= (block[word] & mask) == mask
        return found


@dataclass(slots=True)
class Seen:
    """Filters of one partition's open windows, by the window's end."""

    filters: dict[int, Filter] = field(default_factory=dict)

    def add(self, key: NDArray[np.uint64], end_ms: NDArray[np.int64]) -> None:
        """Note accepted ids, uint64[n], and the end of the window each was accepted in."""
        for end in np.unique(end_ms).tolist():
            self.filters.setdefault(end, Filter()).add(key[end_ms == end])

    def suspects(self, key: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """bool[n]: whether each id may have been accepted in an open window."""
        found = np.zeros(len(key), dtype=np.bool_)
        for each in self.filters.values():
            found |= each.contains(key)
        return found

    def forget(self, watermark_ms: int) -> None:
        """Drop the windows that end at or before the partition's watermark."""
        for end in [end for end in self.filters if end <= watermark_ms]:
            del self.filters[end]
