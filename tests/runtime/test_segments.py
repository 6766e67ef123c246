"""From a table to what is said of its segments: `init --segments`, `plan`, `backtest`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitor.config import Columns, load
from monitor.errors import ConfigError
from monitor.exports.prometheus import Scrapes
from monitor.runtime.footprint import Rehearsal
from monitor.runtime.initialise import initialise
from monitor.runtime.plan_text import plan
from monitor.runtime.trial import Trial, trial_lines
from monitor.runtime.trial_text import trial_report

START = pd.Timestamp("2026-09-28T00:00:00Z")  # A Monday.


def history(seed: int, first: int, days: int, changed_from: int = 1 << 30) -> pd.DataFrame:
    """200 rows an hour, a tenth of them Polish, whose amounts rise from an hour on; a few from elsewhere."""
    random = np.random.default_rng(seed)
    hour = np.repeat(first * 24 + np.arange(24 * days), 200)
    country = random.choice(["DE", "PL", "LU", "NA"], len(hour), p=[0.88, 0.1, 0.0199, 0.0001])
    amount = random.normal(100, 20, len(hour)) + 30 * ((country == "PL") & (hour >= changed_from))
    return pd.DataFrame(
        {
            "timestamp": (START + pd.to_timedelta(hour, unit="h")).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "amount": amount,
            "country": country,
            "prediction": amount.round(-1),
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("segments")
    history(1, 0, 14).to_parquet(directory / "history.parquet")
    history(2, 14, 2, changed_from=15 * 24).to_parquet(directory / "later.parquet")
    said = initialise(
        directory / "history.parquet", "sales", "regression", Columns(), directory, segments=["country"], force=True
    )
    assert "segments of country: 3 of its values each have one, all others one together" in said
    return directory


def trial(project: Path) -> Trial:
    return Trial(project / "monitor.yaml", project / "later.parquet")


def quiet(done: int, total: int) -> None:
    """Progress that nobody sees."""


def test_the_file_that_init_writes_names_the_segments_and_its_reference_has_them(project: Path) -> None:
    config = load(project / "monitor.yaml")
    assert config.models["sales"].segments == ("country",)
    (reference,) = config.references()["sales"].values()
    assert reference.segmented is not None
    assert reference.segmented.segments.names == ("country=DE", "country=PL", "country=LU", "country=__other__")


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        (["amount"], "names 'amount', which is no categorical feature of .* that is watched: those are country"),
        (["region"], "names 'region', which is no categorical feature"),
        (["country", "country"], "names a column twice"),
    ],
)
def test_init_refuses_what_gives_no_segments(project: Path, tmp_path: Path, segments: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        initialise(project / "history.parquet", "m", None, Columns(), tmp_path, segments=segments)
    assert not list(tmp_path.iterdir())


def test_the_back_test_finds_the_change_where_it_is_and_says_so(project: Path) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in trial_lines(trial(project), quiet)]
    (opened,) = [line for line in lines if line["kind"] == "incident" and line["event"] == "opened"]
    assert opened["features"] == ["amount in country=PL"]
    assert opened["window_start"] < "2026-10-13T08"
    (found, *_), summary = lines[-1]["found"], lines[-1]
    assert (found["feature"], found["segment"], found["cause"]) == ("amount", "country=PL", "drift")
    assert summary["segments"] == ["country=DE", "country=PL", "country=LU", "country=__other__"]
    assert summary["segments_untested"]["country=__other__"] == ["amount", "@prediction"]
    assert summary["windows"] == 8
    verdicts = Counter(line["segment"] for line in lines if line["kind"] == "verdict")
    assert verdicts == {"": 24, "country=DE": 8, "country=PL": 8, "country=LU": 8, "country=__other__": 8}
    states = {line["state"] for line in lines if line.get("segment") == "country=__other__" and "state" in line}
    assert states == {"untestable"}


def test_an_output_that_moved_in_a_segment_is_named_among_the_outputs(project: Path) -> None:
    lines = [json.loads(line) for line in trial_lines(trial(project), quiet)]
    joined = [line for line in lines if line["kind"] == "incident"][-1]
    assert joined["outputs"] == ["prediction in country=PL"]


def test_the_report_says_what_was_watched_and_what_was_not_tested(project: Path) -> None:
    said = "\n".join(trial_report(trial(project), quiet))
    assert "watched besides whole traffic: country=DE, country=PL, country=LU, country=__other__" in said
    assert "never tested in country=__other__: amount, @prediction" in said
    assert "found amount in country=PL (drift) in the window" in said
    assert "amount in country=PL: largest effect" in said
    assert "amount: largest effect" not in said


def test_the_plan_says_how_many_there_are_and_what_the_largest_and_the_smallest_show(project: Path) -> None:
    said = "\n".join(plan(project / "monitor.yaml", None, as_json=False))
    assert "4 parts by country (1 value of the reference in its __other__)" in said
    assert "largest country=DE (0.88 of the rows): changes are found from " in said
    assert "smallest country=LU (0.02 of the rows): changes are found from " in said
    assert "not tested in country=__other__: any feature" in said
    version = json.loads(next(iter(plan(project / "monitor.yaml", None, as_json=True))))
    found = {each["name"]: each["found"].get("amount") for each in version["segments"]}
    assert found["country=DE"] < found["country=PL"] < found["country=LU"]
    assert found["country=__other__"] is None
    assert version["left_out"] == {"country": 1}
    values = version["alarms"]["values"]
    assert values == pytest.approx(0.06)


def test_series_of_segments_are_counted_before_there_are_any(project: Path) -> None:
    config = load(project / "monitor.yaml")
    rehearsal = Rehearsal(config.specs(), config.references())
    body, _ = Scrapes(lambda: rehearsal.snapshot(config)).scrape()
    assert 'model_monitor_window_rows{model="sales",segment="country=PL",version=""}' in body.decode()
    assert 'model_monitor_drift_state{feature="amount",model="sales",segment="country=PL"' in body.decode()
