"""The canonical form of categories: classes, labels, versions and ids that are equal have equal text.

true is "true"; 1.0 and 1 are "1"; any other float has its shortest form. Text is NFC, without control characters, its
lone surrogates replaced by U+FFFD; what is longer than 128 characters keeps 111 and ends in the digest of the whole.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.events.batch import INVALID_CODE, MISSING_CODE, CategoricalColumn
from monitor.events.ids import digest

LENGTH_MAX = 128
"""Longest canonical text, in characters."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_NO_CATEGORY = object()


def canonical(value: object) -> str | None:
    """The canonical text of a boolean, number or string; None for null, NaN, an infinity, and anything else."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 2**64:
        return str(value)
    if isinstance(value, int | float):
        return _number(value)
    return None


def canonical_column(values: pa.Array | pa.ChunkedArray | Sequence[object]) -> CategoricalColumn:
    """Codes of the canonical forms of `values`; null is missing, and what has no canonical form is invalid.

    Only distinct values are canonicalised; two that share a canonical form share a code.
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _of_arrow(values)
    if not set(map(type, values)) <= {str, type(None)}:
        values = [_key(value) for value in values]
    distinct = dict.fromkeys(values)
    codes, texts = _codes(distinct)
    code_of = dict(zip(distinct, codes.tolist(), strict=True))
    return CategoricalColumn(np.fromiter(map(code_of.__getitem__, values), np.int32, len(values)), texts)


def replace_surrogates(text: str) -> str:
    """`text` with U+FFFD for every lone surrogate, which no encoder would accept."""
    return _SURROGATE.sub("\ufffd", text)


def _text(text: str) -> str:
    if text.isascii() and text.isprintable() and len(text) <= LENGTH_MAX:
        return text
    text = unicodedata.normalize("NFC", _CONTROL.sub("", replace_surrogates(text)))
    return text if len(text) <= LENGTH_MAX else f"{text[: LENGTH_MAX - 17]}~{digest(text):016x}"


def _number(value: float) -> str | None:
    # JSON parsers read integers beyond 64 bits as floats, and so does this.
    try:
        value = float(value)
    except OverflowError:
        return None
    if value.is_integer() and abs(value) < 2**64:
        return str(int(value))
    return repr(value) if math.isfinite(value) else None


def _key(value: object) -> object:
    # As keys of a dictionary True, 1 and 1.0 would be one, and a list none at all.
    text = canonical(value)
    return text if text is not None or value is None else _NO_CATEGORY


def _of_arrow(values: pa.Array | pa.ChunkedArray) -> CategoricalColumn:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_nested(values.type) or pa.types.is_null(values.type):
        return canonical_column(values.to_pylist())
    encoded = values.dictionary_encode()
    codes, texts = _codes([*encoded.dictionary.to_pylist(), None])
    positions = encoded.indices
    if positions.null_count:
        positions = positions.cast(pa.int32()).fill_null(len(codes) - 1)
    return CategoricalColumn(codes[positions.to_numpy()], texts)


def _codes(values: Iterable[object]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """The code of each distinct raw value, and the canonical texts that the codes stand for."""
    index: dict[str, int] = {}
    codes = []
    for value in values:
        text = canonical(value)
        if text is not None:
            codes.append(index.setdefault(text, len(index)))
        else:
            codes.append(MISSING_CODE if value is None else INVALID_CODE)
    return np.array(codes, dtype=np.int32), tuple(index)
