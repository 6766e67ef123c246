"""What happened, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.detection.records import Verdict
from monitor.detection.watch import Share
from monitor.events.batch import PREDICTION, SCORE

_OUTPUTS = {PREDICTION: "the prediction", SCORE: "the score"}


def called(name: str) -> str:
    """What people call a feature, or what the model answers."""
    return _OUTPUTS.get(name, name)


def listed(names: Sequence[str]) -> str:
    """As in a sentence: one, two and three; of many, the first five."""
    shown = names if len(names) <= 5 else [*names[:5], f"{len(names) - 5} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def describe_drift(drifting: Sequence[Verdict]) -> str:
    """One sentence on the features that drift, worst first."""
    if not drifting:
        return "no feature drifts any more"
    return f"{listed([_with_effect(verdict) for verdict in drifting])} drifted"


def _with_effect(verdict: Verdict) -> str:
    name = called(verdict.feature)
    return name if verdict.effect is None else f"{name} (effect {verdict.effect:.2f})"


def describe_data(wrong: Mapping[str, Sequence[Share]]) -> str:
    """One sentence on the features whose rows are not as they should be."""
    if not wrong:
        return "the data is as it should be again"
    return listed(
        [
            f"{share.now:.1%} of {called(name)} {share.aspect} ({share.usual:.1%} before)"
            for name in wrong
            for share in wrong[name]
        ]
    )
