"""What happened, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.detection.records import Differing, Skew, Verdict
from monitor.detection.units import words
from monitor.detection.volume import Rows
from monitor.detection.watch import Converted, Wrong
from monitor.events.batch import LABELS, OUTPUTS, ROWS


def listed(names: Sequence[str]) -> str:
    """As in a sentence: one, two and three; of many, the first five."""
    shown = names if len(names) <= 5 else [*names[:5], f"{len(names) - 5} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def spoken(feature: str) -> str:
    """A feature, in a segment or not, as people call it: of an output, the rows or labels, its name without the sign
    that sets it apart.
    """
    apart = any(feature == name or feature.startswith(f"{name} in ") for name in (*OUTPUTS, ROWS, LABELS))
    return feature.removeprefix("@") if apart else feature


def describe_drift(drifting: Sequence[Verdict]) -> str:
    """One sentence on the features that drift, worst first."""
    if not drifting:
        return "no feature drifts any more"
    said = f"{listed([_with_effect(verdict) for verdict in drifting])} drifted"
    worst = drifting[0]
    if not worst.moved:
        return said
    cell = worst.moved[0]
    return f"{said}; of {spoken(worst.name)}, {cell.cell} went from {cell.usual:.0%} of rows to {cell.now:.0%}"


def _with_effect(verdict: Verdict) -> str:
    name = spoken(verdict.name)
    if verdict.day_effect is not None:
        return f"{name} (effect {verdict.day_effect:.2g} by the day)"
    return name if verdict.effect is None else f"{name} (effect {verdict.effect:.2f})"


def describe_skew(skew: Skew) -> str:
    """One sentence on the features of which production is not as training was; of one that has any."""
    return f"training and production differ: {listed([_with_cell(each) for each in skew.features])}"


def _with_cell(each: Differing) -> str:
    cell = each.moved[0]
    where = f"{cell.cell} went from {cell.usual:.0%} of rows to {cell.now:.0%}"
    return f"{spoken(each.feature)} (effect {each.effect:.2f}; {where})"


def describe_data(wrong: Mapping[str, Sequence[Wrong]]) -> str:
    """One sentence on the features whose rows are not as they should be."""
    if not wrong:
        return "the data is as it should be again"
    return listed([_with_cause(name, each) for name in wrong for each in wrong[name]])


def _with_cause(name: str, wrong: Wrong) -> str:
    if isinstance(wrong, Rows):
        return f"{wrong.now:,} rows came where about {wrong.usual:,.0f} are usual"
    if isinstance(wrong, Converted):
        return f"all values of {spoken(name)} are {words(wrong.conversion)}: has its unit changed?"
    return f"{wrong.now:.1%} of {spoken(name)} {wrong.aspect} ({wrong.usual:.1%} before)"
