"""Has a feature's unit changed? Values that were all multiplied, or moved, by the same amount: undo it, and they are as
usual again.

A change of unit is asked about only where a window looks odd anyway. It explains a window if the window's raw rows,
undone, fill the usual cells as usual; and if it is one that people make: a factor of at least FAR, whatever it is, or
one between common units, a conversion of temperatures or a lost sign, which the window's mean or deviation then must
tell from others. A genuine shift of a lognormal is a factor too, but hardly ever one of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.detection.baseline import Baseline
from monitor.detection.severity import MODERATE
from monitor.events.batch import PREDICTION, PRESENT, NumericColumn
from monitor.profiles.decision import CELLS, UNUSUAL, DecisionCells
from monitor.profiles.layout import NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.profiles.profile import Profile
from monitor.statistics.tolerance import divergence8

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

FAR = 5.0
"""A factor that is no shift, whichever way: few populations grow fivefold overnight."""

ROWS_MIN = 30
"""Raw rows that a window must hold for its shape to be known."""

CELLS_MIN = 3
"""Cells that must be in use: of two values alone, any other two are a change of unit."""

_COMMON = (1.609344, 2.204623, 2.54, 3.28084, 3.6, 4.184)
"""Miles, pounds, inches, feet, metres a second, calories: factors nearer to 1 than FAR."""
_LARGE = (12.0, 24.0, 30.48, 60.0, 1_440.0, 3_600.0, 86_400.0, *(10.0**power for power in range(1, 10)))
_TEMPERATURES = {
    "Celsius to Kelvin": (1.0, 273.15),
    "Kelvin to Celsius": (1.0, -273.15),
    "Celsius to Fahrenheit": (1.8, 32.0),
    "Fahrenheit to Celsius": (1.0 / 1.8, -32.0 / 1.8),
    "Kelvin to Fahrenheit": (1.8, -459.67),
    "Fahrenheit to Kelvin": (1.0 / 1.8, 459.67 / 1.8),
}
_ODD = 0.05  # Share of values never seen from which a change of unit is asked about.
_NEAR = 0.25  # Quartile ranges that an undone quartile may be off for a conversion to be looked at at all.
_FIT = 0.05  # Effect that an undone window may have left, beside twice its noise.
_CLOSE, _TOLD = 0.02, 0.05  # Of the move: how near a conversion must come to it; how well the window must know it.


class Conversion(NamedTuple):
    """x became times * x + plus."""

    times: float
    plus: float = 0.0

    def undo(self, values: Floats) -> Floats:
        undone: Floats = (values - self.plus) / self.times
        return undone


class Usual(NamedTuple):
    """What is usual of one feature. edges: float64[k + 1] of its decision cells; shares: float64[k]. mean, deviation:
    in the feature's unit. rows: that these rest on; rho: over-dispersion of a window.
    """

    edges: Floats
    shares: Floats
    mean: float
    deviation: float
    rows: float
    rho: float


class Seen(NamedTuple):
    """A window of it. values: float64[k], its sample's usable raw values; rows, mean, deviation: of all its rows."""

    values: Floats
    rows: int
    mean: float
    deviation: float

    @classmethod
    def of(cls, profile: Profile, name: str) -> Seen:
        """Of a numeric feature, or a numeric prediction."""
        summary, layout = profile.features[name], profile.layout.features[name]
        assert isinstance(summary, NumericSummary)
        assert isinstance(layout, NumericLayout)
        column = profile.sample.columns.get("prediction" if name == PREDICTION else f"feature:{name}")
        values = column.values[column.state == PRESENT] if isinstance(column, NumericColumn) else np.empty(0)
        return cls(values, summary.present, summary.mean(layout), summary.deviation(layout))


KNOWN = (
    *(Conversion(each) for factor in (*_COMMON, *_LARGE) for each in (factor, 1.0 / factor)),
    *(Conversion(*each) for each in _TEMPERATURES.values()),
    Conversion(-1.0),
)


class Units:
    """Of the features of a version. may: bool[F], which ones have a unit."""

    def __init__(self, cells: DecisionCells, baseline: Baseline, may: NDArray[np.bool_]) -> None:
        self._names = tuple(cells.layout.features)
        self._cells = cells
        self._baseline = baseline
        self._may = may

    def find(
        self,
        before: Mapping[str, Conversion],
        quiet: NDArray[np.bool_],
        tally: Counts,
        hour: int,
        seen: Callable[[str], Seen] | None,
    ) -> tuple[dict[str, Conversion], NDArray[np.bool_]]:
        """What explains a window, by feature: the conversions found before that go on, and new ones of features that
        look odd; and bool[F], the features with one of which this hour does not tell whether it has been undone.
        quiet: bool[F], of which nothing was wrong before; tally: int64[F, WIDTH]. seen: None where nothing is asked.
        """
        shares, rows = self._baseline.at(hour)
        odd, found = self._may & quiet & _odd(shares, tally), dict[str, Conversion]()
        unclear = np.zeros_like(quiet)
        if seen is None:
            return found, unclear
        for place, name in enumerate(self._names):
            if name in before or odd[place]:
                usual, window = self._usual(place, shares[place], float(rows[place])), seen(name)
                with np.errstate(over="ignore", invalid="ignore"):  # Of values near the largest there are.
                    change = before.get(name) or explain(usual, window)
                    if change is not None and (name not in before or still(change, usual, window)):
                        found[name] = change
                        unclear[place] = name in before and either(change, usual, window)
        return found, unclear

    def _usual(self, place: int, shares: Floats, rows: float) -> Usual:
        name, cells = self._names[place], self._cells
        layout, edges, moments = cells.layout.features[name], cells.edges(name), cells.moments[name]
        assert isinstance(layout, NumericLayout)
        mean, square = (moments @ shares[: moments.shape[1]]).tolist()
        deviation = layout.scale * math.sqrt(max(square - mean**2, 0.0))
        rho = float(self._baseline.rho[0, 0, place])
        return Usual(edges, shares[: len(edges) - 1], layout.centre + layout.scale * mean, deviation, rows, rho)


def _odd(shares: Floats, tally: Counts) -> NDArray[np.bool_]:
    """bool[F]: what is worth asking about."""
    inside, unusual = tally[:, :CELLS], tally[:, UNUSUAL]
    held = inside.sum(axis=1)
    rows = np.maximum(held, 1)
    effect = divergence8(shares, inside / rows[:, None]) - CELLS / rows
    odd: NDArray[np.bool_] = (unusual > _ODD * (held + unusual)) | ((effect > MODERATE) & (held > 0))
    return odd


def explain(usual: Usual, seen: Seen) -> Conversion | None:
    """The conversion that makes the window look as usual; None where none does."""
    if len(seen.values) < ROWS_MIN or np.count_nonzero(usual.shares > 0) < CELLS_MIN:
        return None
    fitting = {each: left for each in _candidates(usual, seen) if (left := _left(each, usual, seen)) is not None}
    known = [each for each in fitting if each in KNOWN and (_is_far(each) or _told(each, usual, seen))]
    unknown = [each for each in fitting if each not in KNOWN]
    return min(known or unknown, key=fitting.__getitem__, default=None)


def still(conversion: Conversion, usual: Usual, seen: Seen) -> bool:
    """Whether a window is as usual again, or would be more so if a conversion that was found before were undone."""
    if len(seen.values) < ROWS_MIN:
        return True
    plain = _effect(seen.values, usual)
    return plain <= _fit(usual, seen) or _effect(conversion.undo(seen.values), usual) < plain


def either(conversion: Conversion, usual: Usual, seen: Seen) -> bool:
    """Whether a window looks as usual both as it is and undone: where values of the hour lie about zero, a lost sign
    does not show.
    """
    if len(seen.values) < ROWS_MIN:
        return False
    return max(_effect(each, usual) for each in (seen.values, conversion.undo(seen.values))) <= _fit(usual, seen)


def words(conversion: Conversion) -> str:
    """What happened to the values, for a sentence that begins with "all values of x are"."""
    for name, known in _TEMPERATURES.items():
        if conversion == known:
            return f"as if turned from {name}"
    if conversion.times == -1.0:
        return "of the opposite sign"
    if abs(conversion.times) < 1.0 / FAR:
        return f"about 1/{_three_digits(1.0 / conversion.times)} of what they were"
    return f"about {_three_digits(conversion.times)} times what they were"


def _three_digits(number: float) -> str:
    return f"{float(f'{number:.3g}'):,.10g}"


def _is_far(conversion: Conversion) -> bool:
    return conversion.plus == 0.0 and abs(math.log(abs(conversion.times))) >= math.log(FAR)


def _candidates(usual: Usual, seen: Seen) -> list[Conversion]:
    """Known conversions that bring the window's quartiles near the usual ones, and its own factor where that is far."""
    levels = np.minimum(np.cumsum(usual.shares)[:-1], 1.0)  # Rounding may take the last ones above 1.
    quantiles = np.quantile(seen.values, levels)
    inner = usual.edges[1:-1]
    quarters = np.array([0.25, 0.5, 0.75])
    known = np.array(KNOWN)
    now = np.quantile(seen.values, quarters)
    undone = np.sort((now - known[:, 1:]) / known[:, :1], axis=1)
    below = np.concatenate([[0.0], np.cumsum(usual.shares)])
    were: Floats = np.interp(quarters, below, usual.edges)
    near = np.abs(undone - were).max(axis=1) <= _NEAR * max(were[2] - were[0], 1e-300)
    found = [KNOWN[place] for place in np.flatnonzero(near).tolist()]
    large = np.abs(inner) >= np.abs(inner).max() / 2.0
    factor = float(np.median(quantiles[large] / inner[large])) if inner.any() else 0.0
    if factor > 0.0 and math.isfinite(factor) and _is_far(Conversion(factor)):
        found.append(Conversion(factor))
    return found


def _left(conversion: Conversion, usual: Usual, seen: Seen) -> float | None:
    """The effect that is left when a conversion is undone; None where that is too much."""
    left = _effect(conversion.undo(seen.values), usual)
    return left if left <= _fit(usual, seen) else None


def _effect(values: Floats, usual: Usual) -> float:
    """De-biased, PSI units, of raw values in the usual cells; those beyond them are in one of their own."""
    edges, slack = usual.edges.copy(), 0.05 * usual.deviation
    # A conversion back and forth rounds: the ends of the range must not cut off what lies on them.
    edges[0] -= slack
    edges[-1] += slack
    place = np.searchsorted(edges, values, side="right")
    counts = np.bincount(place, minlength=len(edges) + 1).astype(np.float64)
    now = np.append(counts[1:-1], counts[0] + counts[-1]) / len(values)
    return float(divergence8(np.append(usual.shares, 0.0), now)) - _noise(usual, len(values))


def _noise(usual: Usual, rows: int) -> float:
    """What chance alone gives."""
    return _free(usual) * (1.0 + (rows - 1) * usual.rho) / rows


def _free(usual: Usual) -> int:
    return max(int(np.count_nonzero(usual.shares > 0)) - 1, 1)


def _fit(usual: Usual, seen: Seen) -> float:
    """The largest effect that may be left."""
    return _FIT + 2.0 * _noise(usual, len(seen.values)) * math.sqrt(2.0 / _free(usual))


def _told(conversion: Conversion, usual: Usual, seen: Seen) -> bool:
    """Whether a conversion accounts for how far the mean moved, or the deviation, and the window knows that well."""
    undone = conversion.undo(seen.values)
    spread = seen.deviation / abs(conversion.times)
    error = math.sqrt((1.0 + (seen.rows - 1) * usual.rho) / max(seen.rows, 1) + 1.0 / max(usual.rows, 1.0))
    tails = float(np.mean(((undone - undone.mean()) / max(float(undone.std()), 1e-300)) ** 4))
    # As far as the move shows at the smaller of both units: to and fro are equally hard to tell.
    smaller = 1.0 / max(1.0, abs(conversion.times))
    mean = (seen.mean - conversion.plus) / conversion.times
    of_mean = (mean - usual.mean, (seen.mean - usual.mean) * smaller, spread * error)
    doubt = spread * error * math.sqrt(max(tails - 1.0, 0.5) / 4.0)
    of_spread = (spread - usual.deviation, (seen.deviation - usual.deviation) * smaller, doubt)
    off, move, doubt = max(of_mean, of_spread, key=lambda each: abs(each[1]) / max(each[2], 1e-300))
    return 2.0 * doubt <= _TOLD * abs(move) and abs(off) <= max(_CLOSE * abs(move), 2.0 * doubt)
