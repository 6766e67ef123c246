"""`monitor validate` as it prints and as it ends, over tables whose story is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.config import Columns
from monitor.errors import ConfigError
from monitor.runtime.initialise import initialise
from monitor.runtime.validation import Validation

ROWS = 1_200


def answers(noise: float, seed: int, rows: int = ROWS) -> pd.DataFrame:
    """A model's answers to the same requests, whose truth does not depend on the seed."""
    truth = np.random.default_rng(0).random(rows) < 0.4
    score = 1 / (1 + np.exp(-(2 * truth - 1 + noise * np.random.default_rng(seed).normal(0, 1, rows))))
    return pd.DataFrame(
        {
            "id": [f"r{row}" for row in range(rows)],
            "p_bad": score,
            "prediction": np.where(score >= 0.5, "bad", "good"),
            "label": np.where(truth, "bad", "good"),
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("project")
    history = answers(2.0, 1).assign(income=np.random.default_rng(9).normal(3_000, 900, ROWS))
    history.to_csv(directory / "history.csv", index=False)
    initialise(directory / "history.csv", "credit", "binary", Columns(score="p_bad"), directory)
    return directory


@pytest.fixture
def files(project: Path, tmp_path: Path) -> Any:
    """Writes tables, and runs the command over them."""

    def run(champion: pd.DataFrame, challenger: pd.DataFrame, *options: str, **tables: pd.DataFrame) -> Result:
        named = []
        for name, table in {"champion": champion, "challenger": challenger, **tables}.items():
            table.to_parquet(tmp_path / f"{name}.parquet", index=False)
            named += [f"--{name}", str(tmp_path / f"{name}.parquet")]
        return CliRunner().invoke(app, ["validate", "-c", str(project / "monitor.yaml"), *named, *options])

    return run


def said(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refused(result: Result) -> str:
    assert isinstance(result.exception, ConfigError), result.output
    assert result.exception.exit_code == 2
    return str(result.exception)


def test_a_better_challenger_is_promoted_and_the_command_ends_well(files: Any) -> None:
    one, other = answers(2.0, 1), answers(1.0, 2)
    result = files(one, other.sample(frac=1, random_state=0), "--json")
    assert result.exit_code == 0
    found = said(result)
    truth = one["label"] == "bad"
    figures = [roc_auc_score(truth, each["p_bad"]) for each in (one, other)]
    assert [found[name]["value"] for name in ("champion", "challenger")] == pytest.approx(figures)
    assert found["gain"]["value"] == pytest.approx(figures[1] - figures[0])
    assert (found["verdict"], found["metric"], found["margin"], found["pairs"]) == ("promote", "roc_auc", 0.03, ROWS)
    assert found["labels"] == {"bad": int(truth.sum()), "good": int((~truth).sum())}
    right = [each["prediction"] == each["label"] for each in (one, other)]
    assert (found["wins"], found["losses"]) == (int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum()))
    assert found["training"] is None


def test_people_read_a_paragraph_with_the_verdict_at_its_end(files: Any) -> None:
    result = files(answers(2.0, 1), answers(1.0, 2))
    (text,) = result.stdout.splitlines()
    assert text.startswith("On 1,200 labelled rows that both models answered (")
    assert "roc_auc was 0." in text
    assert "however often this is asked. The challenger alone was right in " in text
    assert text.endswith("Promote: the challenger is surely better.")


@pytest.mark.parametrize(
    ("noise", "rows", "word", "ending"),
    [
        (4.0, ROWS, "keep", "Keep the champion: the challenger is surely worse."),
        (2.0, 400, "not enough yet", "that both models answered. As these come, that is about 500 labelled rows."),
    ],
)
def test_what_is_not_promoted_ends_with_1_and_says_which(
    files: Any, noise: float, rows: int, word: str, ending: str
) -> None:
    tables = answers(2.0, 1).head(rows), answers(noise, 2).head(rows)
    found = files(*tables, "--json")
    assert (found.exit_code, said(found)["verdict"]) == (1, word)
    assert files(*tables).stdout.rstrip().endswith(ending)


def test_two_alike_models_wait_for_labels_or_keep_by_the_margin(files: Any) -> None:
    tables = answers(2.0, 1), answers(2.0, 2)
    narrow = files(*tables, "--margin", "0.001")
    assert (narrow.exit_code, narrow.stdout.count("If all stays as it is, about ")) == (1, 1)
    assert (
        "Keep the champion: the challenger is surely not better by as much as 0.2."
        in files(*tables, "--margin", "0.2").stdout
    )


def test_labels_of_a_file_of_their_own_count_alone(files: Any) -> None:
    one, other = (answers(noise, seed).drop(columns="label") for noise, seed in ((2.0, 1), (1.0, 2)))
    labels = answers(2.0, 1)[["id", "label"]].iloc[200:]
    found = said(files(one, other, "--json", labels=labels))
    assert (found["pairs"], found["common"], found["unlabelled"]) == (ROWS - 200, ROWS, 200)
    assert "200 requests that both answered have no label yet" in files(one, other, labels=labels).stdout


def test_rows_in_no_pair_are_counted_and_said(files: Any) -> None:
    one = pd.concat([answers(2.0, 1).iloc[30:], answers(2.0, 1).tail(5)])
    one.loc[one.index[:20], "p_bad"] = np.nan
    other = answers(1.0, 2).assign(id=lambda rows: [None, None, *rows["id"][2:]])
    result = files(one, other, "--json")
    assert said(result)["left_out"] == {
        "champion": {"alone": 0, "repeated": 5, "nameless": 0, "unanswered": 20},
        "challenger": {"alone": 28, "repeated": 0, "nameless": 2, "unanswered": 0},
    }
    text = files(one, other).stdout
    assert "left out of the champion's table: 5 further answers to a request, of which the first counts, 20 " in text
    assert "left out of the challenger's table: 28 requests that it alone answered, 2 rows without an id" in text


def test_ids_that_look_alike_are_the_same_whatever_their_type(files: Any) -> None:
    one, other = answers(2.0, 1), answers(1.0, 2)
    found = files(one.assign(id=np.arange(ROWS)), other.assign(id=[str(row) for row in range(ROWS)]), "--json")
    assert said(found)["pairs"] == ROWS


def test_a_metric_without_a_share_needs_a_margin_of_its_own(files: Any) -> None:
    one, other = answers(2.0, 1), answers(1.0, 2)
    assert refused(files(one, other, "--metric", "log_loss")) == (
        "--margin is missing: say which difference of log_loss matters, in its own unit"
    )
    found = said(files(one, other, "--metric", "log_loss", "--margin", "0.1", "--json"))
    truth = one["label"] == "bad"
    assert found["better"] == "lower"
    assert found["gain"]["value"] == pytest.approx(
        log_loss(truth, one["p_bad"]) - log_loss(truth, other["p_bad"]), abs=1e-6
    )


ONE, OTHER = answers(2.0, 1), answers(1.0, 2)


@pytest.mark.parametrize(
    ("champion", "challenger", "options", "sentence"),
    [
        (ONE, OTHER.assign(id=range(ROWS)), "", "ids as in 0): write the same id for the same request in both"),
        (ONE.drop(columns="id"), OTHER, "", "champion.parquet has no column 'id'"),
        (ONE, OTHER.drop(columns="p_bad"), "", "challenger.parquet has no scores, which roc_auc needs: map them under"),
        (ONE.drop(columns="prediction"), OTHER, "--metric f1", "has no predictions, which f1 needs: map them under"),
        (ONE.drop(columns="label"), OTHER.drop(columns="label"), "", "name a table with --labels"),
        (ONE, OTHER.assign(label=OTHER["label"].to_numpy()[::-1]), "", "write the same id for the same request"),
        (ONE, OTHER.assign(p_bad=1.5), "", "challenger.parquet, column 'p_bad', row 1: is no probability"),
        (ONE, OTHER, "--metric roc_acu", "--metric 'roc_acu' does not tell which binary model is better: did you mean"),
        (ONE, OTHER, "--metric rmse", "name one of accuracy, precision, recall"),
        (ONE, OTHER, "--margin 0", "--margin must be greater than 0"),
        (ONE, OTHER, "--margin nan", "--margin must be a finite number"),
        (ONE, OTHER, "--model other", "has the models credit: name one of them with --model"),
        (ONE, OTHER, "--live x.csv", "name both --training and --live"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_sentence(
    files: Any, champion: pd.DataFrame, challenger: pd.DataFrame, options: str, sentence: str
) -> None:
    text = refused(files(champion, challenger, *options.split()))
    assert sentence in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "nothing to validate: name --champion and --challenger, or --training and --live"),
        ({"champion": Path("a.csv")}, "a comparison needs both: name --champion and --challenger"),
        (
            {"training": Path("a.csv"), "live": Path("b.csv"), "metric": "f1"},
            "--labels, --metric and --margin are of a comparison: name --champion and --challenger",
        ),
    ],
)
def test_half_a_question_is_refused(project: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        Validation(project / "monitor.yaml", **options).run()
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("champion", "challenger", "begins"),
    [
        (
            ONE.assign(label="good"),
            OTHER.assign(label="good"),
            "Both models answered 1,200 labelled rows (1,200 'good' and 0",
        ),
        (ONE.assign(p_bad=np.nan), OTHER, "Both models answered 0 labelled rows"),
        (ONE.assign(p_bad=0.5), OTHER.assign(p_bad=0.1), "roc_auc was 0.5 (0.4"),
    ],
)
def test_rows_that_tell_nothing_promote_nobody(
    files: Any, champion: pd.DataFrame, challenger: pd.DataFrame, begins: str
) -> None:
    result = files(champion, challenger)
    assert result.exit_code == 1
    assert begins in result.stdout


def test_a_regression_is_compared_by_its_errors(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    label = random.normal(4_000, 900, 800)
    tables = [pd.DataFrame({"id": range(800), "prediction": label + random.normal(0, sd, 800)}) for sd in (200, 100)]
    tables[0]["label"] = label
    for name, table in zip(("champion", "challenger"), tables, strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    initialise(
        tmp_path / "champion.csv", "price", "regression", Columns(prediction="prediction", label="label"), tmp_path
    )
    files = tmp_path / "champion.csv", tmp_path / "challenger.csv"
    result = CliRunner().invoke(
        app,
        ["validate", "-c", str(tmp_path / "monitor.yaml"), "--champion", str(files[0]), "--challenger", str(files[1])],
    )
    assert result.exit_code == 0, result.output
    assert "mae was 1" in result.stdout
    assert "The challenger was nearer to the truth in " in result.stdout
