"""Directories with the references that the configurations of these tests name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from monitor.events.batch import CategoricalColumn, NumericColumn, Origin, Pairs, Predictions
from monitor.events.schema import Schema, Task
from monitor.profiles.reference import Reference

Write = Callable[[str], Path]

_ROWS = 50
_FEATURES = {"amount": "numeric", "country": "categorical"}


@functools.cache
def compiled(task: Task, threshold: float | None, segments: tuple[str, ...] = ()) -> bytes:
    """A compiled reference of features amount (numeric) and country (categorical)."""
    schema = Schema("fraud", task, _FEATURES, "fraud" if task == "binary" else None)  # type: ignore[arg-type]
    zeros, rows = np.zeros(_ROWS, dtype=np.int32), np.arange(_ROWS)
    numbers = NumericColumn.of(rows.astype(np.float64))
    classes = CategoricalColumn((rows % 2).astype(np.int32), ("ok", "fraud"))
    outcome = numbers if task == "regression" else classes
    decided = None if threshold is not None else outcome
    scores = {"fraud": NumericColumn.of(rows / _ROWS)} if task == "binary" else {}
    predictions = Predictions(
        "fraud",
        Origin("table", zeros, rows, zeros),
        rows,
        np.full(_ROWS, -1),
        rows.astype(np.uint64),
        np.ones(_ROWS, dtype=np.bool_),
        CategoricalColumn(zeros, ("3",)),
        {"amount": numbers, "country": classes},
        decided,
        scores,
    )
    pairs = Pairs(decided, scores, outcome)
    reference = Reference.build(schema, predictions, pairs, version="3", threshold=threshold)
    return reference.with_segments(predictions, segments).dump()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a `monitor.yaml` beside references/{fraud,split,scored,digits,price}.profile and a file that is none."""
    references = tmp_path / "references"
    references.mkdir()
    (references / "fraud.profile").write_bytes(compiled("binary", None))
    (references / "split.profile").write_bytes(compiled("binary", None, ("country",)))
    (references / "scored.profile").write_bytes(compiled("binary", 0.5))
    (references / "digits.profile").write_bytes(compiled("multiclass", None))
    (references / "price.profile").write_bytes(compiled("regression", None))
    (references / "table.csv").write_text("a,b\n1,2\n")

    def to_file(text: str) -> Path:
        path = tmp_path / "monitor.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file
