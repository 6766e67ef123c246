"""What the columns of a table probably are, by rules that a person can check.

In this order: without values, times, names of rows and free text are switched off; booleans and text are categorical,
and so are whole numbers of at most CODES_MAX distinct values or with the name of a code; all others are numeric.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from monitor.events.batch import INVALID, MISSING, PRESENT, NumericColumn
from monitor.events.schema import Kind, Task
from monitor.runtime import cells
from monitor.runtime.frames import Values

CODES_MAX = 10
"""Whole numbers of no more distinct values than this are codes, not amounts."""

CLASSES_MAX = 20
"""Whole numbers of no more distinct values than this are classes, where a task is guessed."""

_CONSTANT = "always holds the same value: any other is reported as never seen"
_IDS_MIN = 200
_ROWS_MIN = 20
_TEXT_SHARE = 0.05  # Of cells that are no numbers, in a column that is still one of numbers.
_WORDS_MAX = 2

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TIME_WORDS = frozenset({"time", "timestamp", "date", "datetime", "day", "at", "ts", "epoch", "created", "updated"})
_ID_WORDS = frozenset({"id", "ids", "uuid", "guid", "key", "index", "idx", "rowid", "identifier"})
_CODE_WORDS = frozenset({"code", "zip", "zipcode", "postcode", "postal", "type", "category"})
_TIME = re.compile(r"\d{4}-\d\d?-\d\d?(?:[T ].*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}(?: .*)?|\d{4}/\d\d?/\d\d?(?: .*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_DAY = (19_000_101, 21_001_231)  # 1900-01-01 to 2100-12-31, as digits
_EPOCH_S = (946_684_800, 4_102_444_800)  # 2000 to 2100


@dataclass(frozen=True, slots=True)
class Inferred:
    """The type of one feature. why: the reason that it is off, or empty. note: what is odd about its values."""

    kind: Kind
    why: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Facts:
    """rows: with a value. distinct: number of distinct values."""

    words: frozenset[str]
    rows: int
    distinct: int


def infer(name: str, values: Values, *, typed: bool) -> Inferred:
    """What one column of a table is."""
    unusable = _unusable(values)
    if unusable:
        return Inferred("categorical", unusable)
    numbers = as_numbers(values)
    categories = cells.categories(values, typed=typed)
    used = np.bincount(categories.codes[categories.codes >= 0], minlength=len(categories.values))
    words = frozenset(word.lower() for word in _WORD.findall(name))
    facts = _Facts(words, int(used.sum()), int(np.count_nonzero(used)))
    kind: Kind = "categorical" if numbers is None or _is_boolean(values) else "numeric"
    if facts.distinct == 0:
        return Inferred(kind, "holds no values")
    if numbers is None or _is_boolean(values):
        found = Inferred("categorical", _text_flaw(facts, categories.values), _text_note(categories.values))
    else:
        facts = _facts_of_numbers(words, numbers)
        found = _of_numbers(facts, numbers)
    return replace(found, note=_CONSTANT) if facts.distinct == 1 and not found.why else found


def _facts_of_numbers(words: frozenset[str], numbers: NumericColumn) -> _Facts:
    """Of values that are no numbers, which a file without types has under any word, only how many there are."""
    distinct = np.unique(numbers.values[numbers.state == PRESENT])
    return _Facts(words, int(np.count_nonzero(numbers.state != MISSING)), len(distinct))


def _unusable(values: Values) -> str:
    """Why a column cannot be a feature by its type alone, or an empty text."""
    if not isinstance(values, pa.Array):
        return ""
    kind = values.type
    if pa.types.is_temporal(kind):
        return "holds times"
    if pa.types.is_nested(kind):
        return "holds nested values"
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return "holds bytes" if binary else ""


def as_numbers(values: Values) -> NumericColumn | None:
    """The numbers of a column that is one of numbers; None of any other.

    Cells that are none may be few, or many of one or two words that stand for "missing"; and as many as there are
    numbers in a column whose type is that of numbers, where they are infinite.
    """
    if _is_boolean(values):
        return None
    numbers = cells.numbers(values)
    present = int(np.count_nonzero(numbers.state == PRESENT))
    invalid = int(np.count_nonzero(numbers.state == INVALID))
    if present <= invalid:
        return None
    words = _distinct_texts(values)
    # Digits with leading zeros name something, as in a postal code.
    if any(len(word) > 1 and word[0] == "0" and word.isdigit() for word in words):
        return None
    if words and invalid > _TEXT_SHARE * (present + invalid):
        unread = cells.numbers(pa.array(words, pa.string())).state == INVALID
        return numbers if 0 < np.count_nonzero(unread) <= _WORDS_MAX else None
    return numbers


def _distinct_texts(values: Values) -> list[str]:
    if not isinstance(values, pa.Array):
        return [*{value for value in values if isinstance(value, str)}]
    texts: list[str] = values.drop_null().unique().to_pylist() if pa.types.is_string(values.type) else []
    return texts


def guess_task(target: Values, *, typed: bool) -> Task:
    """The task of a model whose labels, or predictions, these are."""
    categories = cells.categories(target, typed=typed)
    distinct = len(np.unique(categories.codes[categories.codes >= 0]))
    numbers = as_numbers(target)
    if numbers is not None and (distinct > CLASSES_MAX or not _whole(numbers)):
        return "regression"
    return "binary" if distinct <= 2 else "multiclass"


def _of_numbers(facts: _Facts, numbers: NumericColumn) -> Inferred:
    used = numbers.values[numbers.state == PRESENT]
    invalid = int(np.count_nonzero(numbers.state == INVALID))
    note = f"{invalid} of its {facts.rows} values are no numbers and count as invalid" if invalid else ""
    if not _whole(numbers):
        return Inferred("numeric", note=note)
    low, high = float(used.min()), float(used.max())
    if _are_times(facts, low, high):
        return Inferred("numeric", "holds times")
    if _are_ids(facts, low, high):
        return Inferred("categorical", "names rows")
    if facts.distinct <= CODES_MAX or facts.words & (_CODE_WORDS | _ID_WORDS):
        return Inferred("categorical", note=note)
    return Inferred("numeric", note=note)


def _are_times(facts: _Facts, low: float, high: float) -> bool:
    epochs = any(_EPOCH_S[0] * unit <= low and high <= _EPOCH_S[1] * unit for unit in (1, 10**3, 10**6, 10**9))
    days = _DAY[0] <= low and high <= _DAY[1]
    return (epochs or days) and bool(facts.words & _TIME_WORDS or (epochs and facts.distinct > 0.9 * facts.rows))


def _are_ids(facts: _Facts, low: float, high: float) -> bool:
    if facts.words & _ID_WORDS and facts.distinct > min(_IDS_MIN, 0.9 * facts.rows):
        return True
    counter = facts.distinct > 0.99 * facts.rows and high - low < 1.1 * facts.rows
    return counter and facts.rows >= _ROWS_MIN


def _text_flaw(facts: _Facts, values: tuple[str, ...]) -> str:
    """Why a column of text is of no use as a category, or an empty text."""
    some = values[:1000]
    if all(_TIME.fullmatch(value) for value in some):
        return "holds times"
    if facts.rows >= _ROWS_MIN and facts.distinct > 0.5 * facts.rows and _mean_words(some) >= 4:
        return "holds free text"
    named = bool(facts.words & _ID_WORDS) and facts.distinct > _IDS_MIN
    if named or (facts.rows >= _ROWS_MIN and facts.distinct > 0.9 * facts.rows):
        return "names rows: nearly every value differs" if not named else "names rows"
    return ""


def _text_note(values: tuple[str, ...]) -> str:
    commas = sum(bool(_DECIMAL_COMMA.fullmatch(value)) for value in values)
    if commas <= 0.9 * len(values):
        return ""
    return "its numbers have decimal commas, so they are taken as categories: write them with points"


def _mean_words(values: tuple[str, ...]) -> float:
    return sum(len(value.split()) for value in values) / len(values)


def _whole(numbers: NumericColumn) -> bool:
    used = numbers.values[numbers.state == PRESENT]
    return bool((used == np.floor(used)).all())


def _is_boolean(values: Values) -> bool:
    if not isinstance(values, pa.Array):
        return {type(value) for value in values} <= {bool, type(None)}
    words = {text.lower() for text in _distinct_texts(values)}
    return bool(pa.types.is_boolean(values.type)) or (bool(words) and words <= {"true", "false"})
