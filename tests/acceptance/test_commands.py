"""The commands as a user types them: in a process of their own, judged by exit code and output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitor import __version__

ROWS = 3_000


def monitor(*arguments: str, cwd: Path, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)


def table(seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Applications scored by a model that is right about them; `shift` moves one feature in the second half."""
    random = np.random.default_rng(seed)
    later = np.arange(ROWS) >= ROWS / 2
    income = random.normal(3_000, 800, ROWS) + 800 * shift * later
    score = 1 / (1 + np.exp(-random.normal(0, 1.5, ROWS)))
    return pd.DataFrame(
        {
            "application": [f"a{seed}-{row}" for row in range(ROWS)],
            "income": income.round(2),
            "age": random.integers(18, 80, ROWS),
            "country": random.choice(["PL", "DE", "FR"], ROWS),
            "branch": "main",
            "p_default": score.round(4),
            "decision": np.where(score >= 0.5, "reject", "accept"),
            "outcome": np.where(random.random(ROWS) < score, "reject", "accept"),
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which `monitor init` was run."""
    directory = tmp_path_factory.mktemp("project")
    table(1).to_csv(directory / "history.csv", index=False)
    table(2, shift=1.0).to_csv(directory / "later.csv", index=False)
    roles = ["--prediction", "decision", "--score", "p_default", "--label", "outcome", "--id", "application"]
    done = monitor("init", "history.csv", "--model", "credit", *roles, cwd=directory)
    assert done.returncode == 0, done.stderr
    return directory


def lines(project: Path, *options: str) -> list[dict[str, Any]]:
    done = monitor("backtest", "--predictions", "later.csv", "--json", *options, cwd=project)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_init_writes_passes_check_and_watches_constants_but_no_id(project: Path) -> None:
    done = monitor("check", "--offline", cwd=project)
    assert done.returncode == 0, done.stderr
    written = (project / "monitor.yaml").read_text()
    assert "branch: categorical  # always holds the same value" in written
    assert "application: " not in written.partition("features:")[2].partition("performance:")[0]


def test_a_back_test_reads_every_feature_in_every_window_and_finds_the_planted_drift(project: Path) -> None:
    found = lines(project)
    drift = [line for line in found if line["kind"] == "reading" and line["statistic"] == "psi"]
    assert {(line["feature"], line["first_row"]) for line in drift} == {
        (feature, first) for feature in ("income", "age", "country", "branch") for first in range(0, ROWS, 500)
    }
    assert all(line["last_row"] == line["first_row"] + 499 for line in drift)
    of_outputs = [line for line in found if line["kind"] == "output"]
    assert {line["output"] for line in of_outputs} == {"prediction", "score"}
    assert all(line["state"] == "ok" and line.keys() >= {"p_value", "evidence_ratio"} for line in of_outputs)
    incidents = [line for line in found if line["kind"] == "incident"]
    assert [(line["event"], line["cause"], line["features"], line["outputs"]) for line in incidents] == [
        ("opened", "drift", ["income"], [])
    ]
    assert incidents[0]["first_row"] == 2_000  # The second window of the drift.
    assert found[-1]["kind"] == "summary"
    assert (found[-1]["predictions"], found[-1]["labels"], found[-1]["windows"]) == (ROWS, ROWS, 6)


def test_performance_readings_carry_their_interval(project: Path) -> None:
    found = lines(project)
    auc = [line for line in found if line["kind"] == "reading" and line["statistic"] == "roc_auc"]
    assert len(auc) == 6
    assert all(line["feature"] == "" and line["lower"] < line["value"] < line["upper"] for line in auc)


def test_another_window_is_tried_without_touching_the_file(project: Path) -> None:
    before = (project / "monitor.yaml").read_bytes()
    assert lines(project, "--window", "1000 rows")[-1]["windows"] == 3
    assert (project / "monitor.yaml").read_bytes() == before


def test_a_window_of_time_over_a_table_without_times_is_refused_in_one_sentence(project: Path) -> None:
    done = monitor("backtest", "--predictions", "later.csv", "--window", "1h", cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "no timestamps" in done.stderr


def test_a_missing_reference_is_one_sentence_with_its_line(project: Path, tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").write_text((project / "monitor.yaml").read_text())
    done = monitor("check", "--offline", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "monitor.yaml:" in done.stderr
    assert "references/credit.profile" in done.stderr


def test_a_state_directory_that_cannot_be_written_is_one_sentence(project: Path) -> None:
    text = (project / "monitor.yaml").read_text().replace("state: ./state", "state: ./history.csv/state")
    (project / "unwritable.yaml").write_text(text)
    done = monitor("run", "-c", "unwritable.yaml", cwd=project)
    assert done.returncode == 70
    assert done.stderr.count("\n") == 1
    assert "cannot be used" in done.stderr


def test_check_says_that_the_broker_is_down(project: Path) -> None:
    text = (project / "monitor.yaml").read_text().replace("localhost:9092", "127.0.0.1:1")
    (project / "down.yaml").write_text(text)
    done = monitor("check", "-c", "down.yaml", cwd=project)
    assert done.returncode == 69
    assert "Kafka at 127.0.0.1:1 does not answer" in done.stderr


def test_the_demo_finds_drift_and_delivers_one_signed_request(tmp_path: Path) -> None:
    done = monitor("demo", "--duration", "25", "--port", "0", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["events"] > 10_000
    assert summary["windows"] >= 10
    assert summary["drifting"] == ["income"]
    assert summary["incidents_open"] >= 1
    assert (summary["triggers_received"], summary["signature_valid"]) == (1, True)
    assert summary["performance"]["upper"] < 0.75


def test_a_multiclass_model_has_a_score_column_for_each_class(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    scores = random.dirichlet([2, 2, 2], ROWS).round(4)
    names = np.array(["cat", "dog", "fox"])
    frame = pd.DataFrame({f"p_{name}": scores[:, at] for at, name in enumerate(names)})
    frame["weight"] = random.normal(10, 2, ROWS)
    frame["guess"] = names[scores.argmax(axis=1)]
    frame["truth"] = [random.choice(names, p=row / row.sum()) for row in scores]
    frame.to_csv(tmp_path / "pets.csv", index=False)
    each = [option for name in names for option in ("--score", f"{name}=p_{name}")]
    done = monitor(
        "init", "pets.csv", "--model", "pets", "--prediction", "guess", *each, "--label", "truth", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    done = monitor("backtest", "--predictions", "pets.csv", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    statistics = {
        line["statistic"] for line in map(json.loads, done.stdout.splitlines()) if line.get("value") is not None
    }
    assert {"accuracy", "f1_macro", "log_loss", "roc_auc_macro", "psi"} <= statistics


def test_the_version_is_printed(tmp_path: Path) -> None:
    done = monitor("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"model-monitor {__version__}\n")


def test_a_backtest_of_windows_too_small_to_judge_alone_says_so(project: Path) -> None:
    done = monitor("backtest", "--predictions", "later.csv", "--window", "10 rows", cwd=project)
    held = re.findall(r"(\d+) of 300 windows could not judge .* alone", done.stdout)
    assert held
    assert all(0 < int(count) < 300 for count in held), "those that followed completed them"


def test_a_regression_model_has_performance_and_alarms_when_it_falls(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    for name, noise in (("history", 0.1), ("later", 0.4)):
        truth = random.normal(size=ROWS)
        frame = pd.DataFrame({"size": truth, "guess": truth + noise * random.normal(size=ROWS), "price": truth})
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    done = monitor("init", "history.csv", "--model", "m", "--prediction", "guess", "--label", "price", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = lines(tmp_path, "--window", "1000 rows")
    mae = [line for line in said if line["kind"] == "reading" and line["statistic"] == "mae"]
    expected = np.abs(frame["guess"] - frame["price"]).to_numpy().reshape(3, 1000).mean(axis=1)
    assert [line["value"] for line in mae] == pytest.approx(expected.tolist(), rel=1e-3)
    opened = [line for line in said if line["kind"] == "incident" and line["event"] == "opened"]
    assert [(line["cause"], line["features"]) for line in opened] == [("performance", ["mae", "large_error_rate"])]
