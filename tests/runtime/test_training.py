"""A training table beside live rows: what differs, by how much, and what does not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.config import Columns, load
from monitor.errors import ConfigError
from monitor.runtime.initialise import initialise
from monitor.runtime.training import Training, compare_training


def rows(seed: int, number: int = 3_000) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "income": random.normal(3_000, 900, number),
            "distance": random.lognormal(3, 0.7, number),
            "age": np.where(random.random(number) < 0.1, np.nan, random.normal(40, 8, number)),
            "country": random.choice(["PL", "DE", "FR"], number, p=[0.5, 0.3, 0.2]),
            "hidden": random.normal(0, 1, number),
            "label": random.choice(["bad", "good"], number),
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("project")
    rows(1).to_csv(directory / "history.csv", index=False)
    initialise(directory / "history.csv", "credit", "binary", Columns(label="label"), directory)
    text = (directory / "monitor.yaml").read_text()
    assert text.count("hidden: numeric") == 1
    (directory / "monitor.yaml").write_text(text.replace("hidden: numeric", "hidden: {type: numeric, monitor: 'off'}"))
    return directory


def compared(project: Path, directory: Path, training: pd.DataFrame, live: pd.DataFrame) -> Training:
    for name, table in (("training", training), ("live", live)):
        table.to_parquet(directory / f"{name}.parquet", index=False)
    spec = load(project / "monitor.yaml").specs()["credit"]
    return compare_training(spec, directory / "training.parquet", directory / "live.parquet")


def test_tables_of_one_world_are_alike(project: Path, tmp_path: Path) -> None:
    for seed in range(5):
        found = compared(project, tmp_path, rows(2), rows(10 + seed, 2_000))
        assert (found.alike, found.training, found.live, found.features) == (True, 3_000, 2_000, 4)


@pytest.mark.parametrize(
    ("change", "feature", "what", "words"),
    [
        (
            lambda table: table.assign(income=table["income"] + 900),
            "income",
            ("drift",),
            r"mean (2,9|3,0)\d\d in training, 3,[89]\d\d live, \+(1|0\.9\d) sd; from training to live, ",
        ),
        (
            lambda table: table.assign(distance=table["distance"] * 1_000),
            "distance",
            ("unit",),
            r"another unit \(median 2\d\S* in training, (19|20),\d+ live\)",
        ),
        (
            lambda table: table.assign(country=np.where(table["country"] == "FR", "GB", table["country"])),
            "country",
            ("unseen",),
            r"(19|20|21)\.\d% of live values are categories that training has none of \('GB'\)",
        ),
        (
            lambda table: table.assign(age=table["age"].mask(table.index % 2 == 0)),
            "age",
            ("missing",),
            r"5\d\.\d% of live rows are missing, (9|10|11)\.\d% of training",
        ),
        (
            lambda table: table.assign(age=table["age"].fillna(40.0)),
            "age",
            ("missing",),
            r"0\.0% of live rows are missing, (9|10|11)\.\d% of training",
        ),
        (lambda table: table.drop(columns="age"), "age", ("column",), r"live\.parquet has no such column"),
        (
            lambda table: table.rename(columns={"age": "Age"}),
            "age",
            ("column",),
            r"has no such column \(did you mean 'Age'\?\)",
        ),
        (lambda table: table.assign(age="forty"), "age", ("type",), r"live\.parquet holds no numbers in it"),
    ],
)
def test_a_feature_that_differs_is_named_with_what_and_by_how_much(
    project: Path, tmp_path: Path, change: Any, feature: str, what: tuple[str, ...], words: str
) -> None:
    found = compared(project, tmp_path, rows(2), change(rows(3)))
    (difference,) = found.differences
    assert difference.feature == feature
    assert difference.what[: len(what)] == what
    assert not found.alike
    assert re.search(words, difference.said)


def test_a_column_that_training_lacks_is_told_of_training(project: Path, tmp_path: Path) -> None:
    found = compared(project, tmp_path, rows(2).drop(columns="age"), rows(3))
    assert [each.said for each in found.differences] == [f"age: {tmp_path / 'training.parquet'} has no such column"]


@pytest.mark.parametrize(("monitor", "said"), [("off", []), ("quality", ["missing"])])
def test_what_nobody_watches_for_drift_may_differ_and_what_is_off_in_anything(
    project: Path, tmp_path: Path, monitor: str, said: list[str]
) -> None:
    for name, table in (("training", rows(2)), ("live", rows(3).assign(hidden=100.0))):
        table.loc[table.index[: 1_000 if name == "live" else 0], "hidden"] = np.nan
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    spec = load(project / "monitor.yaml").specs()["credit"]
    spec = replace(spec, features={**spec.features, "hidden": replace(spec.features["hidden"], monitor=monitor)})
    found = compare_training(spec, tmp_path / "training.csv", tmp_path / "live.csv")
    assert [aspect for each in found.differences for aspect in each.what if aspect == "missing"] == said
    assert "drift" not in [aspect for each in found.differences for aspect in each.what]


def test_too_few_live_rows_are_said_and_are_not_alike(project: Path, tmp_path: Path) -> None:
    found = compared(project, tmp_path, rows(2), rows(3, 5))
    assert found.unjudged == ("income", "distance", "age", "country")
    assert not found.alike


def test_a_table_without_any_feature_is_refused(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"live\.parquet has none of the model's features \(income, distance, age"):
        compared(project, tmp_path, rows(2), pd.DataFrame({"x": [1, 2]}))


@pytest.mark.parametrize(("by", "code"), [(0, 0), (900, 1)])
def test_alone_it_decides_how_the_command_ends(project: Path, tmp_path: Path, by: int, code: int) -> None:
    rows(2).to_csv(tmp_path / "training.csv", index=False)
    rows(3).assign(income=lambda table: table["income"] + by).to_csv(tmp_path / "live.csv", index=False)
    asked = ["validate", "-c", str(project / "monitor.yaml")]
    asked += ["--training", str(tmp_path / "training.csv"), "--live", str(tmp_path / "live.csv")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == code
    assert ("would learn a world that is not there" in result.stdout) == bool(by)
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert found["verdict"] is None
    assert [each["feature"] for each in found["training"]["differences"]] == ["income"] * code
    assert found["training"]["alike"] == (code == 0)
