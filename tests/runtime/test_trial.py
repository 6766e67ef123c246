"""`monitor backtest` and `monitor plan` as they print, over tables whose story is known."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families
from scipy.spatial.distance import jensenshannon

from monitor.config import Columns, load
from monitor.errors import ConfigError
from monitor.exports.prometheus import Scrapes
from monitor.runtime.footprint import Rehearsal
from monitor.runtime.initialise import initialise
from monitor.runtime.plan_text import plan
from monitor.runtime.store.kept import KEPT_MAX
from monitor.runtime.trial import Trial, trial_lines
from monitor.runtime.trial_text import trial_report

DAY = np.arange(24)
START = pd.Timestamp("2026-09-28T00:00:00Z")  # A Monday.


def history(seed: int, days: Sequence[int], changed_from: int | None = None) -> pd.DataFrame:
    """300 rows an hour on some days after START, incomes with a daily cycle; from an hour on, higher, a fifth of the
    ages missing, and truths turned round.
    """
    random = np.random.default_rng(seed)
    hour = np.repeat((np.array(days)[:, None] * 24 + DAY).ravel(), 300)
    changed = hour >= (changed_from if changed_from is not None else 1 << 30)
    income = random.normal(3_000 + 200 * np.sin(hour / 24 * 2 * np.pi) + 900 * changed, 900)
    score = 1 / (1 + np.exp(-random.normal(0, 1.5, len(hour))))
    truth = random.random(len(hour)) < np.where(changed, 1 - score, score)
    age = random.normal(40, 10, len(hour))
    return pd.DataFrame(
        {
            "timestamp": (START + pd.to_timedelta(hour, unit="h")).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "id": np.arange(len(hour)),
            "income": income,
            "age": np.where(changed & (random.random(len(hour)) < 0.2), np.nan, age),
            "country": random.choice(["PL", "DE", "FR"], len(hour), p=[0.5, 0.3, 0.2]),
            "score": score,
            "label": np.where(truth, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference of two whole weeks, and two days of which the second is changed."""
    directory = tmp_path_factory.mktemp("project")
    history(1, range(14)).to_csv(directory / "history.csv", index=False)
    history(2, (14, 15), changed_from=15 * 24).to_csv(directory / "later.csv", index=False)
    initialise(directory / "history.csv", "credit", "binary", Columns(), directory, force=True)
    return directory


def trial(project: Path, **options: Any) -> Trial:
    return Trial(project / "monitor.yaml", project / "later.csv", **options)


def quiet(done: int, total: int) -> None:
    """Progress that nobody sees."""


def summary(project: Path, **options: Any) -> dict[str, Any]:
    last: dict[str, Any] = json.loads(list(trial_lines(trial(project, **options), quiet))[-1])
    return last


def test_the_summary_says_what_was_found_when_and_how_many_false_alarms_were_to_be_expected(project: Path) -> None:
    said = summary(project)
    assert said["incidents_by_cause"] == {"drift": 1, "data": 1, "performance": 1}
    assert said["incidents"] == 3
    # Two days of a month of 30.4375, at 0.1 a month.
    assert said["false_alarms_expected"] == pytest.approx(0.1 * 2 / 30.4375)
    assert (said["budget"], said["tolerance"], said["learning_windows"], said["untested"]) == (0.1, 0.02, 0, [])
    found = {each["feature"]: each for each in said["found"]}
    causes: dict[str, set[str]] = {}
    for name, each in found.items():
        causes.setdefault(each["cause"], set()).add(name)
    assert (causes["drift"], causes["data"]) == ({"income"}, {"age"})
    assert "roc_auc" in causes["performance"]
    changed = "2026-10-13T00:00:00Z"
    assert found["income"]["onset"] == found["age"]["onset"] == changed
    assert found["income"]["window_start"] == "2026-10-13T01:00:00Z"
    assert found["age"]["window_start"] == changed


def test_the_report_closes_with_the_same_in_words(project: Path) -> None:
    text = "\n".join(trial_report(trial(project), quiet))
    assert re.search(
        r"found income \(drift\) in the window 2026-10-13T01:00:00Z to 2026-10-13T02:00:00Z; it began", text
    )
    assert (
        "with a budget of 0.1 a month, at most 0.0066 false alarms were to be expected in the 48 windows; 3 incidents "
        "were opened (1 of drift, 1 of data, 1 of performance)"
    ) in text
    assert re.search(r"roc_auc: 0\.\d+ \(0\.\d+ to 0\.\d+\) by the last [\d,]+ labels; the reference had 0\.\d+", text)


def test_an_effect_is_told_of_what_was_found_alone(project: Path, tmp_path: Path) -> None:
    """Of the others the largest of many windows is chance, and would read as a finding."""
    text = "\n".join(trial_report(trial(project), quiet))
    assert re.findall(r"^(\w+): largest effect", text, re.MULTILINE) == ["income", "age"]
    history(2, (14, 15)).to_csv(tmp_path / "same.csv", index=False)
    text = "\n".join(trial_report(Trial(project / "monitor.yaml", tmp_path / "same.csv"), quiet))
    assert "largest effect" not in text
    assert "tested, and nothing found: income, age, country, score, correlation\n" in text


def test_one_is_not_many(project: Path, tmp_path: Path) -> None:
    history(3, (14,), changed_from=None).assign(income=lambda rows: rows["income"] + 2_000).to_csv(
        tmp_path / "one.csv", index=False
    )
    text = "\n".join(trial_report(Trial(project / "monitor.yaml", tmp_path / "one.csv"), quiet))
    assert "1 incident was opened (1 of drift)" in text
    assert "1 incidents" not in text
    assert "0 triggers" in text


def test_a_budget_and_a_tolerance_are_tried_without_touching_the_file(project: Path) -> None:
    before = (project / "monitor.yaml").read_bytes()
    said = summary(project, budget=20.0, tolerance=0.9)
    assert said["false_alarms_expected"] == pytest.approx(20 * 2 / 30.4375)
    # A whole standard deviation is 0.99: with a little noise not beyond 0.9 in every window.
    assert summary(project, tolerance=1.0)["incidents_by_cause"]["drift"] == 0
    assert (project / "monitor.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0.0}, "--budget must be greater than 0"),
        ({"budget": float("nan")}, "--budget must be a finite number"),
        ({"budget": float("inf")}, "--budget must be a finite number"),
        ({"budget": 1001.0}, "--budget must be at most 1,000"),
        ({"tolerance": float("nan")}, "--tolerance must be a finite number"),
        ({"tolerance": float("inf")}, "--tolerance must be a finite number"),
        ({"tolerance": 0.0}, "--tolerance must be greater than 0"),
        ({"window": "1e3 rows"}, "--window '1e3 rows' is not a window: write a duration, as in 5m, 1h or 1d, or rows"),
        ({"tolerance": 1.5}, "--tolerance must be at most 1"),
        ({"tolerance": -1.0, "budget": 1e6}, "--tolerance must be greater than 0"),
        ({"chart": Path("a.png")}, "--chart draws .svg and .html, not 'a.png'"),
        ({"chart": Path("missing/a.svg")}, "cannot be written"),
    ],
)
def test_options_are_held_to_the_rules_of_the_file(project: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        summary(project, **options)
    assert said in str(refused.value)


def test_the_chart_is_drawn_beside_the_output(project: Path, tmp_path: Path) -> None:
    summary(project, chart=tmp_path / "drift.svg")
    drawn = ElementTree.fromstring((tmp_path / "drift.svg").read_text())
    text = "".join(drawn.itertext())
    assert "credit: how far each feature was from its reference, window by window" in text
    assert "48 windows of 1h, 2026-10-12 00:00 to 2026-10-14 00:00" in text


def test_hours_that_the_reference_does_not_cover_are_learned_and_said_to_be(tmp_path: Path) -> None:
    history(1, (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)).to_csv(tmp_path / "history.csv", index=False)
    history(2, (12, 13, 14)).to_csv(tmp_path / "later.csv", index=False)  # Saturday to Monday.
    initialise(tmp_path / "history.csv", "credit", "binary", Columns(), tmp_path, force=True)
    text = "\n".join(trial_report(trial(tmp_path), quiet))
    assert (
        "the model was learning in 8 of 12 windows, 2026-10-10T00:00:00Z to 2026-10-12T00:00:00Z: its reference does "
        "not cover their hours of the week"
    ) in text
    # Monday's: a day of a month of 30.4375, at 0.1 a month.
    assert "at most 0.0033 false alarms were to be expected in the 4 windows that were not learning" in text
    planned = "\n".join(plan(tmp_path / "monitor.yaml", None, as_json=False))
    assert "The budget holds after 14d of production" in planned
    assert "Saturday 00:00 to Sunday 24:00" in planned


def with_calendar(project: Path, directory: Path, entries: str) -> None:
    """Copy the project, with a calendar."""
    written = (project / "monitor.yaml").read_text()
    head = "    reference: "
    (directory / "monitor.yaml").write_text(written.replace(head, f"    calendar: {entries}\n{head}"))
    shutil.copytree(project / "references", directory / "references")


def test_the_calendar_says_which_windows_are_ignored(project: Path, tmp_path: Path) -> None:
    """The changed day is a sale."""
    with_calendar(project, tmp_path, "[{name: sale, from: 2026-10-13, to: 2026-10-14}]")
    tried = Trial(tmp_path / "monitor.yaml", project / "later.csv", chart=tmp_path / "drift.svg")
    said = json.loads(list(trial_lines(tried, quiet))[-1])
    assert (said["incidents"], said["ignored_windows"], said["untested"]) == (0, {"sale": 24}, [])
    assert said["false_alarms_expected"] == pytest.approx(0.1 / 30.4375)
    text = "\n".join(trial_report(tried, quiet))
    assert (
        "24 of 48 windows, 2026-10-13T00:00:00Z to 2026-10-14T00:00:00Z, were ignored: the calendar names them sale"
    ) in text
    assert "in the 24 windows that were judged; 0 incidents were opened" in text
    assert "could not judge" not in text
    assert "not judged, as the calendar says: sale" in (tmp_path / "drift.svg").read_text()
    text = "\n".join(trial_report(replace(tried, window="500 rows", chart=None), quiet))
    assert "nothing was ignored: the entries of the calendar are times, and windows by number of rows have none" in text
    planned = "\n".join(plan(tmp_path / "monitor.yaml", None, as_json=False))
    assert "  Not judged: 2026-10-13T00:00:00Z to 2026-10-14T00:00:00Z, as the calendar says (sale)." in planned
    (whole, _) = map(json.loads, plan(tmp_path / "monitor.yaml", None, as_json=True))
    assert whole["calendar"] == [{"name": "sale", "from_ms": 1_791_849_600_000, "to_ms": 1_791_936_000_000}]


def test_a_table_of_which_all_is_ignored_tests_nothing_and_says_so(project: Path, tmp_path: Path) -> None:
    with_calendar(project, tmp_path, "[{name: year, from: 2026-01-01, to: 2027-01-01}]")
    said = json.loads(list(trial_lines(Trial(tmp_path / "monitor.yaml", project / "later.csv"), quiet))[-1])
    assert {each["reason"] for each in said["untested"]} == {"all its windows were ignored, as the calendar says"}
    assert (said["incidents"], said["false_alarms_expected"]) == (0, 0.0)


def test_the_difference_between_training_and_production_is_said_when_learning_ends(tmp_path: Path) -> None:
    """The table has no times; production does, and its incomes are higher from the first hour on."""
    training = history(1, range(14)).drop(columns="timestamp").iloc[::4]
    training.to_csv(tmp_path / "history.csv", index=False)
    initialise(tmp_path / "history.csv", "credit", "binary", Columns(), tmp_path, force=True)
    later = history(2, range(16)).assign(income=lambda rows: rows["income"] + 200).iloc[::4]
    later.iloc[: (14 * 24 - 6) * 75].to_csv(tmp_path / "later.csv", index=False)
    assert summary(tmp_path, window="6h")["skew"] == []
    later.to_csv(tmp_path / "later.csv", index=False)
    said = summary(tmp_path, window="6h")
    assert said["incidents"] == 0
    (income,) = said["skew"]
    assert (income["feature"], income["version"]) == ("income", "")
    assert (income["measured_from"], income["measured_until"]) == ("2026-09-28T00:00:00Z", "2026-10-12T00:00:00Z")
    # The twenty cells hold equal mass of the training's rows; 200 of 900 is 0.22 deviations.
    edges = np.quantile(training["income"], np.linspace(0, 1, 21))
    shares = [
        np.histogram(table["income"].clip(edges[0], edges[-1]), edges)[0] / len(table)
        for table in (training, later.iloc[: 14 * 24 * 75])
    ]
    assert income["effect"] == pytest.approx(8 * jensenshannon(*shares) ** 2, abs=0.005)
    assert income["moved"][0]["now"] > income["moved"][0]["usual"]
    text = "\n".join(trial_report(trial(tmp_path, window="6h"), quiet))
    (line,) = [line for line in text.splitlines() if line.startswith("training and production differ")]
    assert re.fullmatch(
        r"training and production differ: income \(effect 0\.\d\d; .* went from 5% of rows to \d+%\); measured from "
        r"2026-09-28T00:00:00Z to 2026-10-12T00:00:00Z",
        line,
    )


def test_a_reference_that_knows_all_hours_leaves_the_difference_to_drift(project: Path, tmp_path: Path) -> None:
    history(2, range(14, 16)).assign(income=lambda rows: rows["income"] + 400).to_csv(
        tmp_path / "later.csv", index=False
    )
    said = json.loads(list(trial_lines(Trial(project / "monitor.yaml", tmp_path / "later.csv"), quiet))[-1])
    assert said["incidents_by_cause"]["drift"] == 1
    assert said["skew"] == []


def test_a_version_without_a_reference_of_its_own_is_learning_for_that_reason(tmp_path: Path) -> None:
    history(1, range(14)).assign(version="1").to_csv(tmp_path / "history.csv", index=False)
    history(2, (14,)).assign(version="2").to_csv(tmp_path / "later.csv", index=False)
    initialise(tmp_path / "history.csv", "credit", "binary", Columns(), tmp_path, force=True)
    text = "\n".join(trial_report(trial(tmp_path), quiet))
    assert "version 2 was learning in 24 of 24 windows" in text
    assert "it has no reference of its own" in text


def test_incidents_say_when_what_they_say_began(project: Path) -> None:
    """The window in which income was changed, whichever alarmed."""
    said = list(map(json.loads, trial_lines(trial(project), quiet)))
    opened = {each["cause"]: each for each in said if each["kind"] == "incident" and each["event"] == "opened"}
    found = {each["cause"]: each["onset"] for each in said[-1]["found"]}
    assert opened["drift"]["window_start"] > opened["drift"]["onset"] == found["drift"]
    assert opened["data"]["onset"] == found["data"]


def test_a_feature_that_no_window_could_test_is_named_with_its_reason(project: Path, tmp_path: Path) -> None:
    history(4, (14,)).groupby(DAY.repeat(300)).head(1).to_csv(tmp_path / "few.csv", index=False)
    said = json.loads(list(trial_lines(Trial(project / "monitor.yaml", tmp_path / "few.csv"), quiet))[-1])
    (why,) = (each["reason"] for each in said["untested"] if each["feature"] == "country")
    assert "30 windows" in why or "too few rows" in why


def test_what_could_not_be_tested_is_told_of_the_version_that_it_is_true_of(project: Path, tmp_path: Path) -> None:
    rows = history(4, (14,))
    few = rows.groupby(DAY.repeat(300)).head(1).assign(version="2", id=lambda each: each["id"] + 100_000)
    pd.concat([rows.assign(version="1"), few]).to_csv(tmp_path / "two.csv", index=False)
    tried = Trial(project / "monitor.yaml", tmp_path / "two.csv")
    said = json.loads(list(trial_lines(tried, quiet))[-1])
    assert [(each["version"], each["feature"]) for each in said["untested"]] == [
        ("2", "country"),
        ("2", "@correlation"),
    ]
    text = "\n".join(trial_report(tried, quiet))
    assert "never tested for drift of version 2: country: " in text
    assert "never tested for drift of version 2: correlation: its pairs had too few rows" in text
    assert "tested, and nothing found: income, age, country, score, correlation\n" in text


def test_the_plan_is_printed_for_people_and_as_json(project: Path) -> None:
    text = "\n".join(plan(project / "monitor.yaml", None, as_json=False))
    assert "credit, any version, windows of 1h: 300 rows each by the reference" in text
    assert "The budget holds from the first window on." in text
    assert re.search(r"income +0\.02 = 0\.14 sd = 1[23]\d ", text)
    assert re.search(r"country +0\.02 = -7(\.\d)? points of PL \(50%\)", text)
    first, last = map(json.loads, plan(project / "monitor.yaml", None, as_json=True))
    income = next(each for each in first["features"] if each["name"] == "income")
    assert income["tolerated"]["sd"] == pytest.approx(0.142, abs=0.003)
    assert (income["season"], income["by_window"]["after"]) == ("hour", 2)
    score = next(each for each in first["features"] if each["name"] == "@score")
    assert 1.0 < score["tolerated"]["factor"] < 2.0
    assert first["bytes"]["pending_million"] > 8_000_000  # An id alone is eight bytes.
    # 500 rows of three columns of numbers; four features and two outputs in 23 places each, most of them small.
    assert 4_000 < first["bytes"]["kept_rows"] < 500 * 8 * 4
    assert 50 < first["bytes"]["kept_counts"] < 1_000
    assert "kept of each closed window, of all versions up to 67.1 MB (the counts of " in text
    assert (last["kind"], last["limit"], last["left_out"]) == ("series", 10_000, {})
    assert last["models"]["credit"] < last["series"]
    assert f"{last['series']:,} Prometheus series in all, of a budget of 10,000:" in text


def test_the_plan_says_of_how_many_windows_rows_are_kept_and_where_of_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = json.loads(next(plan(project / "monitor.yaml", None, as_json=True)))["bytes"]
    monkeypatch.setitem(KEPT_MAX, "rows", size["basis_rows"] + 2 * size["kept_rows"])
    assert "windows, the rows of 2)" in "\n".join(plan(project / "monitor.yaml", None, as_json=False))
    monkeypatch.setitem(KEPT_MAX, "rows", size["basis_rows"] + size["kept_rows"] - 1)
    said = "\n".join(plan(project / "monitor.yaml", None, as_json=False))
    assert "windows, no rows and so no reports: one window's and its reference's take more than " in said


def test_the_series_of_the_plan_are_those_of_a_scrape(project: Path) -> None:
    config = load(project / "monitor.yaml")
    rehearsal = Rehearsal(config.specs(), config.references())
    body, _ = Scrapes(lambda: rehearsal.snapshot(config)).scrape()
    families = {family.name: family.samples for family in text_string_to_metric_families(body.decode())}
    planned, samples = rehearsal.series(config), [each for samples in families.values() for each in samples]
    assert planned.total == len(samples)
    assert planned.by_model == {"credit": sum(each.labels.get("model") == "credit" for each in samples)}
    assert not planned.left_out
    features = {sample.labels["feature"] for sample in families["model_monitor_drift_state"]}
    assert {"income", "age", "country"} <= features
    assert {sample.labels["metric"] for sample in families["model_monitor_performance"]} >= {"roc_auc", "brier"}


def test_the_plan_says_what_a_budget_of_series_will_leave_out(project: Path) -> None:
    file = project / "small.yaml"
    text = (project / "monitor.yaml").read_text()
    file.write_text(text[: text.index("\nserver:")] + "\nserver: {series_budget: 150}\n")
    last = json.loads(list(plan(file, None, as_json=True))[-1])
    config = load(file)
    body, _ = Scrapes(lambda: Rehearsal(config.specs(), config.references()).snapshot(config), 150).scrape()
    families = {
        each.name.removeprefix("model_monitor_"): each for each in text_string_to_metric_families(body.decode())
    }
    shown = len({sample.labels["feature"] for sample in families["drift_state"].samples})
    (every,) = {sample.value for sample in families["drift_features"].samples if sample.value}
    assert last["left_out"] == {"credit": every - shown}
    assert 0 < shown < every
    text = "\n".join(plan(file, None, as_json=False))
    assert f"left out: the series of {every - shown:.0f} features of credit, the least drifted" in text
    assert f"set server.series_budget to {last['series']} or more" in text


@pytest.mark.parametrize("rows", [0, -1.0, float("nan"), float("inf"), 1e300])
def test_rows_a_window_must_be_a_number_that_one_could_hold(project: Path, rows: float) -> None:
    said = re.escape(f"--rows is {rows:g}, and must be greater than 0 and at most 1e+12: give the rows")
    with pytest.raises(ConfigError, match=said):
        list(plan(project / "monitor.yaml", rows, as_json=False))


def test_names_with_control_characters_stay_on_their_lines(tmp_path: Path) -> None:
    table = history(0, (0, 1)).rename(columns={"income": "in\ncome", "age": "a\x1b[31mge"})
    table.to_parquet(tmp_path / "train.parquet")
    initialise(tmp_path / "train.parquet", "credit", "binary", Columns(), tmp_path, force=False)
    planned = list(plan(tmp_path / "monitor.yaml", None, as_json=False))
    tried = list(trial_report(Trial(tmp_path / "monitor.yaml", tmp_path / "train.parquet"), quiet))
    for line in [*planned, *tried]:
        assert line.isprintable()
    assert any(line.startswith("    in\\ncome  ") for line in planned)
    assert any(line.startswith("    a\\x1b[31mge  ") for line in planned)
    assert any("in\\ncome" in line for line in tried)


def test_the_plan_counts_the_rows_that_a_new_normal_is_made_of(project: Path) -> None:
    config = load(project / "monitor.yaml")
    specs = config.specs()
    size = Rehearsal(specs, config.references()).footprint("credit", "").remembered
    # Two weeks of hours, of 500 rows at most with a number or a code in each of their columns, and a key.
    columns = len(specs["credit"].schema.features) + 2
    assert 336 * 500 * columns * 4 < size < 336 * 500 * (columns + 1) * 10
    text = "\n".join(plan(project / "monitor.yaml", None, as_json=False))
    assert re.search(r"up to \d+(\.\d+)? MB of rows that a new normal is made of", text)


def test_rows_that_fill_no_window_are_named(project: Path, tmp_path: Path) -> None:
    def said(rows: int) -> tuple[dict[str, Any], str]:
        history(5, (14,)).head(rows).to_csv(tmp_path / "later.csv", index=False)
        tried = Trial(project / "monitor.yaml", tmp_path / "later.csv", window="500 rows")
        return json.loads(list(trial_lines(tried, quiet))[-1]), "\n".join(trial_report(tried, quiet))

    summed, text = said(5_230)
    assert (summed["windows"], summed["rows_left_over"]) == (10, 230)
    assert "the last 230 rows, from row 5000 on, were not judged: a window takes 500" in text
    summed, text = said(5_001)
    assert summed["rows_left_over"] == 1
    assert "the last row, from row 5000 on, was not judged" in text
    summed, text = said(5_000)
    assert summed["rows_left_over"] == 0
    assert "not judged" not in text
    summed, text = said(300)
    assert (summed["windows"], summed["rows_left_over"]) == (0, 300)
    assert (
        "nothing was judged: the table has 300 rows, and a window takes 500: give a smaller --window, as in "
        "--window '30 rows'"
    ) in text


def test_columns_of_one_value_are_calm_and_another_value_is_found_in_its_first_window(tmp_path: Path) -> None:
    always = {"whole": (7, 8), "decimal": (7.5, 7.25), "text": ("a", "b"), "flag": (True, False)}
    before = {name: value for name, (value, _) in always.items()}
    history(1, range(14)).assign(**before).to_csv(tmp_path / "history.csv", index=False)
    initialise(tmp_path / "history.csv", "credit", "binary", Columns(), tmp_path, force=True)
    later = history(2, (14, 15)).assign(**before)
    later.to_csv(tmp_path / "later.csv", index=False)
    same = summary(tmp_path)
    assert (same["incidents_by_cause"]["drift"], same["incidents_by_cause"]["data"]) == (0, 0)
    assert {each["feature"] for each in same["untested"]} == set(always)
    changed = later["timestamp"] >= "2026-10-13T00:00:00Z"
    after = {name: later[name].where(~changed, value) for name, (_, value) in always.items()}
    later.assign(**after).to_csv(tmp_path / "later.csv", index=False)
    found = [each for each in summary(tmp_path)["found"] if each["cause"] != "performance"]
    assert {each["feature"] for each in found} == set(always)
    assert {(each["cause"], each["window_start"]) for each in found} == {("data", "2026-10-13T00:00:00Z")}
    text = "\n".join(trial_report(trial(tmp_path), quiet))
    assert "never tested for drift: whole, decimal, text, flag: it has one value in the reference" in text


def test_features_without_a_column_count_as_missing_after_a_warning(project: Path, tmp_path: Path) -> None:
    rows = history(6, (14,)).rename(columns={"income": "incomes"}).drop(columns="country")
    rows.to_csv(tmp_path / "later.csv", index=False)
    tried = Trial(project / "monitor.yaml", tmp_path / "later.csv")
    said = json.loads(list(trial_lines(tried, quiet))[-1])
    assert said["absent_features"] == ["income", "country"]
    found = {each["feature"]: each for each in said["found"] if each["cause"] == "data"}
    assert set(found) == {"income", "country"}
    assert {each["window_start"] for each in found.values()} == {"2026-10-12T00:00:00Z"}
    text = list(trial_report(tried, quiet))
    assert text[0] == (
        f"warning: {tmp_path / 'later.csv'} has no columns 'income' (did you mean 'incomes'?), 'country', so all their "
        "values count as missing"
    )
    assert "100.0% of income missing (0.0% before)" in text[1]


def test_a_column_of_a_role_that_the_configuration_names_must_be_there(tmp_path: Path) -> None:
    history(1, range(3)).rename(columns={"score": "p"}).to_csv(tmp_path / "history.csv", index=False)
    initialise(tmp_path / "history.csv", "credit", "binary", Columns(score="p"), tmp_path, force=True)
    history(2, (3,)).to_csv(tmp_path / "later.csv", index=False)
    with pytest.raises(ConfigError, match="has no column 'p'"):
        summary(tmp_path)


def test_rows_that_were_dropped_are_counted_in_the_text(project: Path, tmp_path: Path) -> None:
    rows = history(7, (14,))
    rows.assign(id=rows["id"] % 50).to_csv(tmp_path / "later.csv", index=False)
    tried = Trial(project / "monitor.yaml", tmp_path / "later.csv")
    # Windows of an hour hold 50 ids; each comes again once its first window has been closed.
    assert json.loads(list(trial_lines(tried, quiet))[-1])["events"]["duplicate"] == 7_200 - 24 * 50
    text = "\n".join(trial_report(tried, quiet))
    assert "6,000 of 7,200 predictions were dropped, as they had the id of an earlier one" in text
    assert "dropped" not in "\n".join(trial_report(trial(project), quiet))


def test_a_feature_all_of_whose_values_are_new_is_said_to_be_untested_for_that_reason(tmp_path: Path) -> None:
    def rows(seed: int, days: Sequence[int]) -> pd.DataFrame:
        made = history(seed, days)
        return made.assign(flag=(made["age"] > 40).astype(int))

    rows(1, range(14)).to_csv(tmp_path / "history.csv", index=False)
    initialise(tmp_path / "history.csv", "credit", "binary", Columns(), tmp_path, force=True)
    later = rows(2, (14,))
    later.assign(flag=later["flag"].astype(bool)).to_csv(tmp_path / "later.csv", index=False)
    said = summary(tmp_path)
    (why,) = (each["reason"] for each in said["untested"] if each["feature"] == "flag")
    assert why == "hardly any of its values could be compared, as they were unseen"


def test_the_plan_says_which_shares_alarm_at_once_and_what_its_columns_mean(project: Path) -> None:
    text = "\n".join(plan(project / "monitor.yaml", None, as_json=False))
    assert re.search(r"feature +tolerated +found by window +found by day +missing +unseen +season +rho\n", text)
    for column in ("sd: all values", "missing, unseen: the", "season: what", "rho: how much"):
        assert f"    {column}" in text


def test_what_is_fine_is_told_from_what_nobody_looked_at(project: Path, tmp_path: Path) -> None:
    text = "\n".join(trial_report(trial(project), quiet))
    assert "tested, and nothing found: country, score, correlation\n" in text
    assert "not looked at" not in text
    written = (
        (project / "monitor.yaml")
        .read_text()
        .replace("country: categorical", "country: {type: categorical, monitor: off}")
    )
    (tmp_path / "monitor.yaml").write_text(written.replace("references/", f"{project}/references/"))
    text = "\n".join(trial_report(Trial(tmp_path / "monitor.yaml", project / "later.csv"), quiet))
    assert "not looked at, as the configuration says: country\n" in text
    assert "tested, and nothing found: score, correlation\n" in text
