"""The example's pipeline: what it takes, what it makes of it, and the whole loop beside a running service."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitor.actions import signing
from monitor.demo.traffic import DRIFTED, LEARNED, SCHEMA, Scorer, Traffic
from monitor.events.timestamps import iso
from tests.exports.client import Client
from tests.receivers import Receiver, answers, resets

EXAMPLE = Path(__file__).parents[2] / "examples" / "retraining"
SECRET = signing.generate_secret()


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its two modules, as they are when it runs."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import pipeline
    import training

    yield pipeline, training
    for name in ("pipeline", "training"):
        sys.modules.pop(name, None)


def signed(body: bytes, secret: str = SECRET, at_s: float | None = None, name: str = "msg_1") -> dict[str, str]:
    at = int(time.time() if at_s is None else at_s)
    return signing.headers([signing.parse_secret(secret)], name, at, body)


class Still:
    """A pipeline of which nothing is worked on."""

    def __init__(self, pipeline: ModuleType, directory: Path) -> None:
        class Idle(pipeline.Pipeline):  # type: ignore[name-defined, misc]
            def work(self) -> None:
                """Nothing."""

        self.made = Idle(directory / "monitor.yaml", "http://127.0.0.1:1", directory / "runs")
        self.client = Client(pipeline.create_app(self.made, SECRET))


BODY = json.dumps({"type": "model.retrain.requested", "data": {"trigger": "trg_1"}}).encode()


def test_a_request_is_taken_once_however_often_it_comes(example: Any, tmp_path: Path) -> None:
    still = Still(example[0], tmp_path)
    for _ in range(3):
        assert still.client.post("/retrain", headers=signed(BODY), content=BODY).status_code == 202
    assert still.made.waiting.qsize() == 1
    again = Still(example[0], tmp_path)
    assert again.made.waiting.qsize() == 1, "what a restart cut off is worked on again"
    (file,) = (tmp_path / "runs").iterdir()
    file.rename(file.with_suffix(".done"))
    done = Still(example[0], tmp_path)
    assert done.client.post("/retrain", headers=signed(BODY), content=BODY).status_code == 202
    assert done.made.waiting.qsize() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY, signing.generate_secret()),
        signed(BODY, at_s=time.time() - 3_600),
        signed(BODY[:-1]),
        signed(BODY) | {"webhook-timestamp": "now"},
    ],
    ids=["unsigned", "another secret", "old", "another body", "no time"],
)
def test_what_is_not_signed_by_the_monitor_is_refused(example: Any, tmp_path: Path, headers: dict[str, str]) -> None:
    still = Still(example[0], tmp_path)
    assert still.client.post("/retrain", headers=headers, content=BODY).status_code == 401
    assert still.made.waiting.qsize() == 0


def test_a_request_that_is_signed_with_two_secrets_is_taken(example: Any) -> None:
    keys = [signing.parse_secret(each) for each in (signing.generate_secret(), SECRET)]
    headers = signing.headers(keys, "msg_1", 1_764_000_000, BODY)
    assert example[0].is_genuine(SECRET, headers, BODY, 1_764_000_000)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"type": "model.incident.opened", "data": {}}'])
def test_what_is_no_request_to_retrain_is_refused(example: Any, tmp_path: Path, body: bytes) -> None:
    still = Still(example[0], tmp_path)
    assert still.client.post("/retrain", headers=signed(body), content=body).status_code == 400
    assert still.made.waiting.qsize() == 0


@pytest.mark.parametrize(
    ("version", "names"), [("1", ["2", "3"]), ("2024-11-rc1", ["2024-11-rc1-r1", "2024-11-rc1-r2"])]
)
def test_a_version_that_was_not_promoted_keeps_its_name(example: Any, version: str, names: list[str]) -> None:
    assert example[0].following(version)[:2] == names


def test_how_it_ended_is_told_once_the_monitor_is_back(example: Any, tmp_path: Path) -> None:
    """Also after a restart, and without another training."""
    pipeline, _ = example
    asked = {"trigger": "trg_1", "links": {"status": ""}}
    (tmp_path / "runs").mkdir()
    outcome = {"state": "succeeded", "detail": "", "version": "2"}
    file = tmp_path / "runs" / "a.json"
    with Receiver(answers(503), resets, answers(200)) as monitor:
        asked["links"]["status"] = f"{monitor.url}/status"
        file.write_text(json.dumps({"data": asked, "outcome": outcome}))
        pipeline.time = Hurried()
        made = pipeline.Pipeline(tmp_path / "monitor.yaml", "http://127.0.0.1:1", tmp_path / "runs")
        monitor.wait_for_requests(3)
        while not file.with_suffix(".done").exists():
            assert made.waiting.qsize() == 0
        assert [json.loads(each.body) for each in monitor.requests] == [outcome] * 3


class Hurried:
    """A clock whose pauses are over at once."""

    time, monotonic = staticmethod(time.time), staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        """None."""


def rows(drifted: bool, count: int) -> pd.DataFrame:
    drawn = Traffic(5).draw(count, drifted)
    label = np.where(drawn.default, "default", "repaid")
    return pd.DataFrame(drawn.features | {"id": drawn.ids, "label": label, "timestamp": iso(0)})


@pytest.mark.parametrize(("drifted", "truth"), [(False, LEARNED), (True, DRIFTED)])
def test_what_it_trains_is_what_is_true_of_the_world(example: Any, drifted: bool, truth: Scorer) -> None:
    table = rows(drifted, 60_000)
    candidate = example[1].trained(table)
    assert candidate["weights"] == pytest.approx(truth.weights, abs=0.06)
    assert candidate["intercept"] == pytest.approx(truth.intercept, abs=0.5)
    features = {name: table[name].to_numpy() for name in SCHEMA.features}
    scored = example[1].scored(candidate, table)
    assert scored["score"].to_numpy() == pytest.approx(Scorer(**candidate).score(features))
    assert set(scored["prediction"]) == {"default", "repaid"}


def test_the_loop_closes_unattended() -> None:
    """Drift, trigger, retraining, validation, promotion, recovery: on the embedded broker, with real processes."""
    command = [sys.executable, "-m", "monitor.cli", "demo", "--loop", "--duration", "90", "--port", "0", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    story = done.stderr
    assert summary["incidents"] >= 1, story
    assert summary["incidents_open"] == 0, story
    assert [each["state"] for each in summary["triggers"]] == ["succeeded"], story
    assert (summary["triggers_received"], summary["signature_valid"]) == (1, True), story
    assert summary["versions"] == ["1", "2"], story
    assert summary["validation"] == "promote", story
    assert summary["performance"]["version"] == "2", story
    assert summary["performance"]["upper"] > summary["performance"]["limit"], story
    assert summary["drifting"] == [], story
