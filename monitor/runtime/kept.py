"""What the store keeps of a closed window, for pages, reports and the API: exact distributions, and rows as frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from monitor.engine.references import References
from monitor.errors import NotFoundError
from monitor.events.batch import PRESENT, Column, NumericColumn
from monitor.events.timestamps import iso
from monitor.exports.distribution import Compared
from monitor.profiles.sample import Sample
from monitor.runtime.store import Store
from monitor.runtime.store.kept import KEPT_MAX, Part
from monitor.windows.streams import FOREVER
from monitor.windows.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """Frames of the sample's columns, "feature:NAME", "prediction" and "score:CLASS", a row each: of a window and of
    what it was compared with. Numbers are float64 with NaN, categories str with None, where a value is missing or of
    the wrong type. window_rows, reference_rows: how many rows these are a sample of.
    """

    window: Window
    current: pd.DataFrame
    reference: pd.DataFrame
    window_rows: int
    reference_rows: int


def sampled(store: Store, model: str, version: str | None = None, end_ms: int | None = None) -> Sampled:
    """Of the newest window, of this version or end where they are given. For any thread. NotFoundError where its rows
    are not kept.
    """
    kept = store.kept_rows(model, version, end_ms)
    if kept is None:
        raise _gone(store, model, version, end_ms, "rows")
    return Sampled(kept.window, frame(kept.sample), frame(kept.reference), kept.rows, kept.reference_rows)


def frame(sample: Sample) -> pd.DataFrame:
    """The rows of a sample, as of `Sampled`."""
    return pd.DataFrame({name: _series(column) for name, column in sample.columns.items()}, range(len(sample.order)))


def _series(column: Column) -> pd.Series[float] | pd.Series[str]:
    if isinstance(column, NumericColumn):
        return pd.Series(np.where(column.state == PRESENT, column.values, np.nan))
    values = np.array([*column.values, None], dtype=object)
    return pd.Series(values[np.where(column.codes < 0, len(column.values), column.codes)], dtype=object)


def distributed(
    store: Store,
    references: References,
    model: str,
    feature: str,
    version: str | None = None,
    end_ms: int | None = None,
) -> Compared:
    """One feature of such a window, as `sampled`. NotFoundError where it is not kept."""
    kept = store.kept_counts(model, version, end_ms)
    if kept is None:
        raise _gone(store, model, version, end_ms, "counts")
    if feature not in kept.basis.places:
        raise NotFoundError(
            f"the window that ended at {iso(kept.window.end_ms)} was compared with a reference that has no such feature"
        )
    now = references.found(kept.window.version, FOREVER)[1].cells
    return Compared(
        kept.window, kept.basis.compared(feature, kept.tally), kept.basis.standing, kept.basis.standing != now
    )


def _gone(store: Store, model: str, version: str | None, end_ms: int | None, part: Part) -> NotFoundError:
    """Says what is kept instead."""
    windows = [each for each in store.kept_windows(model, part) if version in (None, each.version)]
    asked = "such window" if version is None else f"such window of version {version!r}"
    if end_ms is not None:
        asked += f" that ended at {iso(end_ms)}"
    held = "its rows" if part == "rows" else "what it held"
    if not windows and part == "rows" and store.kept_counts(model, version, end_ms) is not None:
        return NotFoundError(
            f"there is no {asked} of which its rows are kept: they had to make room for newer ones, or take more than "
            f"the {KEPT_MAX['rows'] / 1e6:.1f} MB that a model may, with those of its reference; `monitor plan` says "
            "which"
        )
    if not windows:
        return NotFoundError(f"there is no {asked} of which {held} would be kept: ask again when one has closed")
    return NotFoundError(
        f"there is no {asked} of which {held} would still be kept; the {len(windows)} that are kept ended from "
        f"{iso(windows[-1].end_ms)} to {iso(windows[0].end_ms)}"
    )
