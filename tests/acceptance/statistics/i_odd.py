"""Young, small and odd models: what is found, what is reported without cause, and that none is silently untested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.events.timestamps import iso
from tests.acceptance.figures import Figure
from tests.acceptance.tables import HOUR_MS, START_MS, Found, backtested, found_in, tried

SEEDS = (1, 2, 3)
DAY = 24
HOURS = {"1h": 1, "4h": 4, "24h": DAY}


@dataclass(frozen=True, slots=True)
class Case:
    """rows an hour; reference and clean, changed hours; what the change is: deviations by feature. window: of the
    back-test; timeless: whether the reference has no timestamps. within: windows in which each must be found, at the
    median of the seeds.
    """

    name: str
    rows: float
    reference: int
    clean: int
    changed: int
    shift: Mapping[str, float]
    within: int
    window: str = "1h"
    timeless: bool = False
    shuffled: bool = False
    classes: int = 2
    decisions: bool = True
    labels: bool = True


FORTNIGHT = 14 * DAY
CASES = (
    Case("50 rows an hour, 1 sd", 50, FORTNIGHT, 72, 24, {"steady": 1.0}, 3),
    Case("50 rows an hour, 0.5 sd", 50, FORTNIGHT, 72, 48, {"steady": 0.5}, 12),
    Case("50 rows a day, 0.5 sd", 50 / DAY, 60 * DAY, 30 * DAY, 30 * DAY, {"steady": 0.5}, 14, window="24h"),
    Case(
        "a daily batch in any order, 0.5 sd", 25, 30 * DAY, 5 * DAY, 5 * DAY, {"steady": 0.5}, 2, "24h", shuffled=True
    ),
    Case("no labels, 0.5 sd", 500, FORTNIGHT, 48, 6, {"cyclic": 0.5}, 2, labels=False),
    Case("50 classes, shares of the likeliest", 250, FORTNIGHT, 48, 12, {"@prediction": 0.5}, 3, classes=50),
    Case("scores without decisions, 0.5 sd of log-odds", 250, FORTNIGHT, 48, 12, {"@score": 0.5}, 3, decisions=False),
    Case("10,000 categories, one of which takes a fifth", 500, FORTNIGHT, 48, 12, {"codes": 0.2}, 3),
    Case("cold start, no season known, 0.5 sd", 300, 40, 15 * DAY, 24, {"steady": 0.5}, 3, window="4h", timeless=True),
)


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """Of each case: the median delay, reports without a change, and what share of the streams was tested; verdicts that
    say nothing and do not say why. Where a change is seen at once, one seed tells.
    """
    yield from brief(seeds)
    for case in CASES:
        if case.name not in BRIEF:
            yield from of_case(case, seeds if case.within > 3 else seeds[:1])
    yield from of_units(seeds[:1])
    yield from of_rows(seeds[:1])
    yield from of_a_holiday(seeds[:1])


BRIEF = ("a daily batch in any order, 0.5 sd",)


def brief(seeds: Sequence[int]) -> Iterator[Figure]:
    """Those that take few windows."""
    for case in CASES:
        if case.name in BRIEF:
            yield from of_case(case, seeds)
    yield from of_late_labels(seeds[:1])
    yield from of_a_canary(seeds[:1])


def of_case(case: Case, seeds: Sequence[int]) -> Iterator[Figure]:
    delays, false, silent, tested, learning = [], 0, 0, 1.0, 0.0
    for seed in seeds:
        found = run(case, np.random.default_rng([seed, len(case.name)]))
        since = found.since(case.clean // HOURS[case.window])
        delays += [since.pop(name, np.inf) for name in case.shift]
        # What a model answers may follow its features.
        false += sum(delay <= 0 or not name.startswith("@") for name, delay in since.items())
        silent += unexplained(found)
        tested = min(tested, share_tested(found))
        learning = max(learning, found.summary["learning_windows"] * HOURS[case.window] / DAY)
    yield Figure.at_most("I", f"{case.name}: found after, windows", float(np.median(delays)), case.within)
    yield Figure.none("I", f"{case.name}: reported without a change", false)
    yield from of_tested(case.name, tested, silent)
    if case.timeless:
        yield Figure.at_most("I", f"{case.name}: the budget holds after, days", learning, 14)


def of_tested(name: str, tested: float, silent: int) -> Iterator[Figure]:
    yield Figure.at_least("I", f"{name}: share of the streams tested", tested, 1.0)
    yield Figure.none("I", f"{name}: features never tested and not said to be", silent)


LATE, FELL, MOVED, LIVE, WITHIN = 60, 10, 14, 30, 3
"""Days: from a prediction to its label; until performance falls, until a feature drifts, and of predictions in all; of
labels from after the fall that are to be enough.
"""


def of_late_labels(seeds: Sequence[int]) -> Iterator[Figure]:
    """Labels come 60 days after their predictions: drift is found meanwhile, and performance is judged by them then."""
    case = Case("labels 60 days late", 400 / DAY, 30 * DAY, MOVED * DAY, (LIVE - MOVED) * DAY, {"steady": 0.5}, 0)
    drift, fall, false, silent, tested = [], [], 0, 0, 1.0
    for seed in seeds:
        rng = np.random.default_rng([seed, 9])
        reference = table(case, rng, 0, case.reference, None)
        live = table(case, rng, case.reference, LIVE * DAY, case.clean)
        live["id"] = np.arange(len(live))
        day = (live["timestamp"] - START_MS) // (DAY * HOUR_MS) - 30
        turned = live["label"].map({"yes": "no", "no": "yes"})
        labels = pd.DataFrame({"id": live["id"], "label": live["label"].where(day < FELL, turned)})
        labels["timestamp"] = live["timestamp"] + LATE * DAY * HOUR_MS
        labels = labels[day < FELL + WITHIN]  # Those that come later are not known yet.
        found = backtested(
            reference, live.drop(columns="label"), "24h", labels, {"performance": {"wait": f"{LATE + 10}d"}}
        )
        since = found.since(MOVED)
        drift.append(since.pop("steady", np.inf))
        false += sum(delay <= 0 or not name.startswith("@") for name, delay in since.items())
        fell = [each for each in found.summary["found"] if each["cause"] == "performance"]
        starts = [pd.Timestamp(each["window_start"]).value // 1_000_000 for each in fell]
        fall += [(min(starts, default=np.inf) - START_MS) / (DAY * HOUR_MS) - 30 - FELL + 1]
        silent += unexplained(found)
        tested = min(tested, share_tested(found))
    yield Figure.at_most("I", f"{case.name}: drift found after, windows", float(np.median(drift)), 3)
    yield Figure.none("I", f"{case.name}: reported without a change", false + sum(each <= 0 for each in fall))
    yield Figure.at_most("I", f"{case.name}: fall found after, days", LATE + float(np.median(fall)), LATE + WITHIN)
    yield from of_tested(case.name, tested, silent)


def of_a_canary(seeds: Sequence[int]) -> Iterator[Figure]:
    """A version gets a hundredth of the traffic beside its champion; what it gets shifts by 1 sd, and nothing else."""
    name, clean, hours = "a canary of 1 %, 1 sd", 5 * DAY, 8 * DAY
    case = Case(name, 1_000, 7 * DAY, clean, hours - clean, {"steady": 1.0}, 0)
    delays, false, silent, tested = [], 0, 0, 1.0
    for seed in seeds:
        rng = np.random.default_rng([seed, 10])
        reference, live = table(replace(case, rows=200), rng, 0, 7 * DAY, None), table(case, rng, 7 * DAY, hours, clean)
        canary = rng.random(len(live)) < 0.01
        live["steady"] = np.where(canary, live["steady"], rng.normal(0.0, 1.0, len(live)))
        lines = tried(reference, live.assign(version=np.where(canary, "2", "1")), "4h")
        champion, small = (found_in(lines, version) for version in ("1", "2"))
        since = small.since(clean // 4)
        delays.append(since.pop("steady", np.inf))
        false += len(since) + len(champion.first)
        silent += unexplained(small) + unexplained(champion)
        tested = min(tested, share_tested(small), share_tested(champion))
    yield Figure.at_most("I", f"{name}: found after, windows of 4 hours", float(np.median(delays)), 8)
    yield Figure.none("I", f"{name}: reported of it, or of the champion, without a change", false)
    yield from of_tested(name, tested, silent)


def share_tested(found: Found) -> float:
    """Of the streams that are watched, features and outputs."""
    return sum(found.tested.values()) / len(found.tested)


UNITS = {"metres to feet": (3.28084, 0.0), "pounds to pence": (100.0, 0.0), "Celsius to Fahrenheit": (1.8, 32.0)}


def of_units(seeds: Sequence[int]) -> Iterator[Figure]:
    """A change of unit in a feature of heights, of prices, or of temperatures, beside one that is left alone."""
    for name, (times, plus) in UNITS.items():
        delays, misnamed, false = [], 0, 0
        for seed in seeds:
            rng = np.random.default_rng([seed, 7])
            reference, live = (with_units(rng, first, hours) for first, hours in ((0, FORTNIGHT), (FORTNIGHT, 60)))
            changed = live["timestamp"] >= START_MS + (FORTNIGHT + 48) * HOUR_MS
            live.loc[changed, name] = live.loc[changed, name] * times + plus
            found = backtested(reference, live)
            delays.append(found.since(48).pop(name, np.inf))
            misnamed += found.wrong.get(name) != ("unit",)
            false += len(found.first.keys() - {name})
        yield Figure.at_most("I", f"unit, {name}: found after, windows", max(delays), 1)
        yield Figure.none("I", f"unit, {name}: called another thing, or another feature called", misnamed + false)


def with_units(rng: np.random.Generator, first: int, hours: int) -> pd.DataFrame:
    n = hours * 500
    columns = {
        "timestamp": START_MS + ((first + np.sort(rng.random(n)) * hours) * HOUR_MS).astype(np.int64),
        "metres to feet": rng.normal(1.7, 0.12, n),
        "pounds to pence": rng.lognormal(3.0, 0.7, n),
        "Celsius to Fahrenheit": rng.normal(14.0, 6.0, n),
        "prediction": rng.choice(["yes", "no"], n),
    }
    return pd.DataFrame(columns)


def of_rows(seeds: Sequence[int]) -> Iterator[Figure]:
    """Rows that fall to a tenth, or are sent eight times, after 28 days of nights, weekends and uneven days."""
    for name, factor in {"a tenth of the rows": 0.1, "eight times the rows": 8.0}.items():
        delays, early = [], 0
        for seed in seeds:
            rng = np.random.default_rng([seed, 8])
            hour = np.arange(30 * DAY)
            rate = 60.0 * (1.0 - 0.6 * np.cos(2.0 * np.pi * hour / DAY)) * np.where(hour // DAY % 7 >= 5, 0.5, 1.0)
            rate *= np.repeat(np.exp(rng.normal(0.0, 0.1, 30)), DAY)
            changed = 28 * DAY + 10
            rate[changed:] *= factor
            at = np.repeat(hour, rng.poisson(rate))
            reference, live = (of_hours(rng, hours) for hours in (np.repeat(np.arange(FORTNIGHT), 60), at))
            live["timestamp"] += FORTNIGHT * HOUR_MS
            delay = backtested(reference, live, "1h").since(changed).get("@rows", np.inf)
            delays.append(delay)
            early += delay <= 0
        yield Figure.at_most("I", f"volume, {name}: found after, windows", float(np.median(delays)), 3)
        yield Figure.none("I", f"volume, {name}: found before", early)


HOLIDAY = range(3 * DAY, 6 * DAY)
"""Hours after the reference in which everything is different."""


def of_a_holiday(seeds: Sequence[int]) -> Iterator[Figure]:
    """Three days of other values, of values that are missing and of labels that are wrong, with their entry in the
    calendar and without it; what follows them is as before.
    """
    since, until = (iso(START_MS + (FORTNIGHT + hour) * HOUR_MS) for hour in (HOLIDAY[0], HOLIDAY[-1] + 1))
    entry = {"calendar": [{"name": "holiday", "from": since, "to": until}]}
    alarms, delays, after = 0, [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, 9])
        case = Case("holiday", 500, FORTNIGHT, 12 * DAY, 0, {}, 0)
        reference, live = table(case, rng, 0, FORTNIGHT, None), table(case, rng, FORTNIGHT, 12 * DAY, None)
        hour = (live["timestamp"] - START_MS) // HOUR_MS - FORTNIGHT
        odd = (hour >= HOLIDAY[0]) & (hour <= HOLIDAY[-1])
        live.loc[odd, "steady"] += 1.0
        live.loc[odd & (rng.random(len(live)) < 0.2), "cyclic"] = np.nan
        live.loc[odd, "label"] = np.where(live["label"] == "yes", "no", "yes")[odd]
        alarms += backtested(reference, live, settings=entry).summary["incidents"]
        delays += [backtested(reference, live).since(HOLIDAY[0]).get(name, np.inf) for name in ("steady", "cyclic")]
        live.loc[hour > HOLIDAY[-1], "steady"] += 0.5
        after.append(backtested(reference, live, settings=entry).since(HOLIDAY[-1] + 1).get("steady", np.inf))
    yield Figure.none("I", "a holiday in the calendar: incidents", alarms)
    yield Figure.at_most("I", "the same holiday without its entry: found after, windows", max(delays), 3)
    yield Figure.at_most("I", "0.5 sd from the end of the holiday on: found after, windows", max(after), 4)


def of_hours(rng: np.random.Generator, hour: NDArray[np.int64]) -> pd.DataFrame:
    n = len(hour)
    answers = rng.choice(["yes", "no"], n)
    at = START_MS + ((hour + rng.random(n)) * HOUR_MS).astype(np.int64)
    table = {"timestamp": at, "x": rng.normal(0.0, 1.0, n), "prediction": answers}
    return pd.DataFrame(table).sort_values("timestamp", ignore_index=True)


def unexplained(found: Found) -> int:
    """Features without a single test that the summary does not name."""
    return len(found.untested - {each["feature"] for each in found.summary["untested"]})


def run(case: Case, rng: np.random.Generator) -> Found:
    reference = table(case, rng, 0, case.reference, None)
    live = table(case, rng, case.reference, case.clean + case.changed, case.clean)
    if case.timeless:
        reference = reference.drop(columns="timestamp")
    if case.shuffled:
        live = live.sample(frac=1.0, random_state=int(rng.integers(1 << 31)))
    return backtested(reference, live, window=case.window)


def table(case: Case, rng: np.random.Generator, first: int, hours: int, changed_from: int | None) -> pd.DataFrame:
    n = round(hours * case.rows)
    hour = np.sort(rng.random(n)) * hours
    new = np.zeros(n, dtype=np.bool_) if changed_from is None else hour >= changed_from
    shift = {name: case.shift.get(name, 0.0) * new for name in ("steady", "cyclic", "@score", "@prediction", "codes")}
    cycle = 0.3 * np.sin(2.0 * np.pi * ((first + hour) % DAY) / DAY)
    codes = np.where(rng.random(n) < shift["codes"], 7, rng.integers(0, 10_000, n))
    columns = {
        "timestamp": START_MS + ((first + hour) * HOUR_MS).astype(np.int64),
        "steady": rng.normal(shift["steady"], 1.0),
        "cyclic": rng.normal(cycle + shift["cyclic"], 1.0),
        "skewed": rng.lognormal(0.0, 1.0, n),
        "letter": rng.choice(list("abcde"), n, p=[0.4, 0.3, 0.15, 0.1, 0.05]),
    }
    if "codes" in case.shift:
        columns["codes"] = np.char.add("k", codes.astype(str))
    if case.classes == 2:
        score = 1.0 / (1.0 + np.exp(-rng.normal(shift["@score"], 1.0)))
        columns |= {"score": score} | ({"prediction": np.where(score > 0.5, "yes", "no")} if case.decisions else {})
        label = np.where(rng.random(n) < score, "yes", "no")
    else:
        likeliest = rng.random(n) < shift["@prediction"]
        label = np.char.add("c", np.where(likeliest, 0, rng.integers(0, case.classes, n)).astype(str))
        columns |= {"prediction": label}
    return pd.DataFrame(columns | ({"label": label} if case.labels else {}))
