"""What happened, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.detection.faults import Converted, Wrong
from monitor.detection.records import Differing, Moved, Skew, Verdict
from monitor.detection.subject import is_of
from monitor.detection.units import words
from monitor.detection.volume import Rows
from monitor.events.batch import CORRELATION, LABELS, OUTPUTS, ROWS


def listed(names: Sequence[str]) -> str:
    """As in a sentence: one, two and three; of many, the first five."""
    shown = names if len(names) <= 5 else [*names[:5], f"{len(names) - 5} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def sentence(text: str) -> str:
    """With its full stop; its first word may be a name, and stays as it is."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def called(version: str) -> str:
    """A version as people call it, also where it has no name."""
    return version or "(unnamed)"


def spoken(feature: str) -> str:
    """A feature, in a segment or not, as people call it: of an output, the rows or the like, its name without the sign
    that sets it apart.
    """
    return feature.removeprefix("@") if is_of(feature, (*OUTPUTS, ROWS, CORRELATION, LABELS)) else feature


def describe_drift(drifting: Sequence[Verdict]) -> str:
    """One sentence on the features that drift, worst first."""
    if not drifting:
        return "no feature drifts any more"
    alone = [verdict for verdict in drifting if verdict.feature != CORRELATION]
    said = []
    if alone:
        where = f"; of {spoken(alone[0].name)}, {went(alone[0].moved[0])}" if alone[0].moved else ""
        said.append(f"{listed([_with_effect(verdict) for verdict in alone])} drifted{where}")
    said += [_otherwise(verdict.moved) for verdict in drifting if verdict.feature == CORRELATION]
    return "; ".join(said)


def _otherwise(pairs: Sequence[Moved]) -> str:
    """How features go together now, of the pairs that changed, worst first; none: the window does not tell."""
    if not pairs:
        return "some features go together otherwise"
    worst, *others = pairs
    so = f"; so do {listed([f'{pair.cell} ({_from_to(pair)})' for pair in others])}" if others else ""
    return f"{worst.cell} go together otherwise: correlation from {_from_to(worst)}{so}"


def _from_to(pair: Moved) -> str:
    return f"{pair.usual:z.2f} to {pair.now:z.2f}"  # z: no minus before 0.00.


def went(cell: Moved) -> str:
    return f"{cell.cell} went from {cell.usual:.0%} of rows to {cell.now:.0%}"


def _with_effect(verdict: Verdict) -> str:
    name = spoken(verdict.name)
    if verdict.day_effect is not None:
        return f"{name} (effect {verdict.day_effect:.2g} by the day)"
    return name if verdict.effect is None else f"{name} (effect {verdict.effect:.2f})"


def describe_skew(skew: Skew) -> str:
    """One sentence on the features of which production is not as training was; of one that has any."""
    return f"training and production differ: {listed([_with_cell(each) for each in skew.features])}"


def _with_cell(each: Differing) -> str:
    return f"{spoken(each.feature)} (effect {each.effect:.2f}; {went(each.moved[0])})"


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
