"""What the command `validate` prints: a paragraph for people, or one JSON object for the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson

from monitor.exports.lines import Line
from monitor.exports.text import counted, named, printable
from monitor.runtime.training import Training
from monitor.runtime.validation import Compared, Validated, Validation
from monitor.statistics.comparison import CLASS_MIN, PAIRS_MIN, Comparison
from monitor.statistics.performance import METRICS
from monitor.statistics.reading import Estimate


def validation_report(validation: Validation, result: Validated) -> Iterator[str]:
    """For people; the verdict last."""
    return map(printable, _report(validation, result))


def validation_json(result: Validated) -> str:
    """One object."""
    line: Line = {"kind": "validation", "model": result.model, "verdict": None}
    if result.compared is not None:
        line |= _line(result.compared)
    line["training"] = None if result.training is None else _training_line(result.training)
    return orjson.dumps(line).decode()


def _line(compared: Compared) -> Line:
    found, paired = compared.comparison, compared.paired
    split = found.disagreement
    return {
        "verdict": found.verdict,
        "metric": found.metric,
        "better": METRICS[found.metric].better,
        "margin": found.drop,
        "pairs": found.pairs,
        "labels": dict(found.labels),
        "champion": _estimate(found.champion),
        "challenger": _estimate(found.challenger),
        "gain": _estimate(found.gain),
        "wins": None if split is None else split.wins,
        "losses": None if split is None else split.losses,
        "p_value": None if split is None else split.p_value,
        "pairs_needed": found.needed,
        "common": paired.common,
        "unlabelled": compared.unlabelled,
        "foreign_labels": compared.foreign,
        "differing_labels": paired.differing,
        "left_out": {
            name: {**asdict(side), "unanswered": unanswered}
            for name, side, unanswered in zip(("champion", "challenger"), paired.sides, found.unanswered, strict=True)
        },
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate._asdict()


def _training_line(training: Training) -> Line:
    return {
        "alike": training.alike,
        "rows": training.training,
        "live_rows": training.live,
        "features": training.features,
        "differences": [
            {**asdict(each), "moved": [cell._asdict() for cell in each.moved]} for each in training.differences
        ],
        "unjudged": list(training.unjudged),
    }


def _report(validation: Validation, result: Validated) -> Iterator[str]:
    if result.training is not None:
        yield from _training(validation, result.training)
    if result.compared is not None:
        yield from _left_out(result.compared)
        yield " ".join(_paragraph(result.compared.comparison))


def _left_out(compared: Compared) -> Iterator[str]:
    found, paired = compared.comparison, compared.paired
    sides = zip(("champion", "challenger"), paired.sides, found.unanswered, strict=True)
    for name, side, unanswered in sides:
        said = [
            (side.alone, "request", "that it alone answered"),
            (side.repeated, "further answer", "to a request, of which the first counts"),
            (side.nameless, "row", "without an id"),
            (unanswered, "labelled row", f"without what {found.metric} needs"),
        ]
        parts = [f"{counted(number, noun)} {what}" for number, noun, what in said if number]
        if parts:
            yield f"left out of the {name}'s table: {', '.join(parts)}"
    if compared.unlabelled:
        yield f"{counted(compared.unlabelled, 'request')} that both answered have no label yet"
    if compared.foreign:
        yield (
            f"{counted(compared.foreign, 'label')} of them name no class of the model: write labels as its reference "
            "does"
        )
    if paired.differing:
        yield (
            f"{counted(paired.differing, 'request')} have labels that differ, of which the newest counts; where ids "
            "are numbers of rows, both tables must hold the same rows"
        )


def _paragraph(found: Comparison) -> Iterator[str]:
    rows = counted(found.pairs, "labelled row")
    if found.champion is None or found.challenger is None or found.gain is None:
        yield f"Both models answered {rows}{_classes(found)}."
    else:
        yield (
            f"On {rows} that both models answered{_classes(found)}, {found.metric} was {_figure(found.champion)} of "
            f"the champion and {_figure(found.challenger)} of the challenger (95 % intervals)."
        )
        gain = found.gain
        how = f"{'better' if gain.value > 0 else 'worse'} by {abs(gain.value):.3g}" if gain.value else "no better"
        yield (
            f"The challenger was {how}; what it is truly better by lies between {gain.lower:+.3g} and "
            f"{gain.upper:+.3g}, however often this is asked."
        )
    split = found.disagreement
    if split is not None:
        what = "was nearer to the truth in" if not found.labels else "alone was right in"
        yield (
            f"The challenger {what} {counted(split.wins, 'row')}, the champion in {split.losses:,} (p = "
            f"{split.p_value:.2g}, if this is the only look)."
        )
    yield _verdict(found)


def _classes(found: Comparison) -> str:
    if len(found.labels) != 2:
        return ""
    return f" ({' and '.join(f'{rows:,} {name!r}' for name, rows in found.labels.items())})"


def _figure(estimate: Estimate) -> str:
    return f"{estimate.value:.4g} ({estimate.lower:.4g} to {estimate.upper:.4g})"


def _verdict(found: Comparison) -> str:
    gain = found.gain
    if found.verdict == "promote":
        return "Promote: the challenger is surely better."
    if found.verdict == "keep":
        worse = gain is not None and gain.upper is not None and gain.upper < 0
        return "Keep the champion: the challenger is surely " + (
            "worse." if worse else f"not better by as much as {found.drop:g}."
        )
    number = None if found.needed is None else f"about {_rounded(found.needed):,} labelled rows"
    if gain is not None:
        more = "" if number is None else f" If all stays as it is, {number} will decide."
        return f"Not enough yet: it may be no better, and it may be better by {found.drop:g} or more.{more}"
    if found.started:
        return f"Not enough yet: {found.metric} is not defined for each part of these rows."
    least = f"{PAIRS_MIN} labelled rows" + (f", and {CLASS_MIN} of either class," if len(found.labels) == 2 else "")
    more = "" if number is None else f" As these come, that is {number}."
    return f"Not enough yet: a comparison begins with {least} that both models answered.{more}"


def _rounded(number: int) -> int:
    """Upwards, to two digits."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // unit) * unit


def _training(validation: Validation, training: Training) -> Iterator[str]:
    yield from (each.said for each in training.differences)
    if training.unjudged:
        yield f"not judged, as there are too few rows: {named(training.unjudged)}"
    sides = f"{validation.training} ({counted(training.training, 'row')}) and {validation.live} ({training.live:,})"
    number = len(training.differences)
    if number:
        yield (
            f"{number} of {counted(training.features, 'feature')} {'is' if number == 1 else 'are'} not alike in "
            f"{sides}: a model that is trained on the one would learn a world that is not there"
        )
    elif training.alike:
        judged = counted(training.features - len(training.unjudged), "feature")
        yield f"what {judged} hold differs by no more than is tolerated in {sides}"
