"""Retrain requests by hand, approvals and a pipeline's reports: from the command line and over HTTP into the store."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.actions.outbox import Message
from monitor.config import load_server
from monitor.engine import Monitor
from monitor.errors import ConfigError, RefusedError, UnavailableError
from monitor.events.batch import no_predictions
from monitor.runtime.backtest import TableSource
from monitor.runtime.clock import now
from monitor.runtime.intake import Topics
from monitor.runtime.loop import Loop
from monitor.runtime.requests import list_triggers, send_trigger
from monitor.runtime.store import Store
from tests.engine.saved import saved
from tests.engine.test_retraining import REFERENCE, RETRAIN, Asking
from tests.runtime.test_orders import configured, served, turning
from tests.simulation.world import requests


def looping(run: Asking) -> Loop:
    """A service that goes on from where a run has come."""
    pieces = saved(run.engine)

    def made() -> Monitor:
        engine = Monitor([run.spec], {"m": {"3": REFERENCE}})
        engine.restore(pieces)
        return engine

    source = TableSource(no_predictions("m", "predictions", run.spec.schema.features), None)
    topics = Topics(frozenset({"predictions"}), frozenset({"labels"}))
    return Loop(made, Store.in_memory(), source, topics, requests, now)


@pytest.fixture
def waiting() -> tuple[Loop, str]:
    """A service with a trigger that waits for approval, and its id."""
    run = Asking(replace(RETRAIN, approval="manual"))
    (withheld,) = run.windows(4)
    return looping(run), withheld.trigger.id


def api(config: Path) -> str:
    return f"http://127.0.0.1:{load_server(config)[0].port}/api/v1"


def post(url: str, **body: Any) -> tuple[int, str]:
    answer = httpx.post(url, json=body, trust_env=False)
    return answer.status_code, answer.json()["detail"]


def queued(loop: Loop) -> list[Message]:
    return loop._store.pending_messages()


def test_what_waits_for_approval_is_listed_and_sent_once(waiting: tuple[Loop, str], tmp_path: Path) -> None:
    loop, name = waiting
    with turning(loop), served(loop, tmp_path) as config:
        listed = list(list_triggers(config, None, "withheld", as_json=False))
        assert listed[0].startswith(f"{name}  m version 3  drift  withheld since 1970-01-01T0")
        assert listed[2].strip().startswith("waits for approval")
        assert list(send_trigger(config, name, None, None, force=False)) == [f"trigger {name} is sent to pipeline"]
        assert list(send_trigger(config, name, None, None, force=False)) == [f"trigger {name} is sent to pipeline"]
        (shown,) = map(json.loads, list_triggers(config, "m", None, as_json=True))
        assert (shown["id"], shown["state"], shown["withheld"]) == (name, "pending", None)
        assert [each["state"] for each in shown["reports"]] == ["withheld", "pending"]
        assert list(list_triggers(config, None, "withheld", as_json=False)) == ["no trigger is withheld"]
        with pytest.raises(ConfigError, match=r"state is .lost., not one of withheld, pending, sent"):
            list(list_triggers(config, None, "lost", as_json=False))
    (message,) = queued(loop)
    assert (message.subject, json.loads(message.body)["data"]["trigger"]) == (name, name)


def test_a_pipeline_reports_over_http_and_is_answered_once_it_is_kept(
    waiting: tuple[Loop, str], tmp_path: Path
) -> None:
    loop, name = waiting
    with turning(loop), served(loop, tmp_path) as config:
        status = f"{api(config)}/triggers/{name}/status"
        assert post(status, state="running")[0] == 409, "nobody was asked"
        assert post(f"{api(config)}/triggers/{name}/approve")[0] == 200
        assert post(status, state="running", run="run 1", detail="epoch 1") == (200, f"trigger {name}: running")
        assert post(status, state="running") == (200, f"trigger {name}: running")
        code, said = post(status, state="accepted")
        assert (code, said) == (409, f"trigger {name} is running, and takes no step back; it cannot be accepted now")
        succeeded = (200, f"trigger {name}: succeeded, as version 4")
        assert post(status, state="succeeded", version="4", detail="x" * 5_000) == succeeded
        assert post(status, state="succeeded", version="4") == succeeded
        assert post(status, state="failed")[0] == 409
        shown = httpx.get(f"{api(config)}/triggers/{name}", trust_env=False).json()
        assert (shown["state"], shown["new_version"], shown["run"]) == ("succeeded", "4", "run 1")
        assert shown["reports"][-1]["detail"] == "x" * 1_000
        assert loop.snapshot.models["m"].in_flight == 0
        assert post(f"{api(config)}/triggers/trg_none/status", state="running")[0] == 404
        code, said = post(status, state="done")
        assert (code, said) == (422, "state is 'done', not one of accepted, running, succeeded, failed")
    kinds = [event.payload["event"] for event in loop._store.control_events()]
    assert kinds[0] == "approved"
    assert kinds[-1] == "succeeded"


def test_a_request_by_hand_carries_its_reason_and_is_refused_while_one_is_in_flight(
    waiting: tuple[Loop, str], tmp_path: Path
) -> None:
    loop, _ = waiting
    with turning(loop), served(loop, tmp_path) as config:
        (said,) = send_trigger(config, "m", "new market", None, force=False)
        assert said.endswith("asks pipeline for a retrained m")
        name = said.split()[1]
        (again,) = send_trigger(config, "m", "new market", None, force=False)
        assert again.startswith(f"trigger {name} has asked pipeline for this")
        with pytest.raises(RefusedError, match=f"trigger {name} is in flight"):
            list(send_trigger(config, "m", "another", None, force=True))
        with pytest.raises(ConfigError, match="there is no model 'x'; the configured ones are m"):
            list(send_trigger(config, "x", "r", None, force=False))
        with pytest.raises(ConfigError, match="reason"):
            list(send_trigger(config, "m", " ", None, force=False))
    (message,) = queued(loop)
    data = json.loads(message.body)["data"]
    assert (data["trigger"], data["reason"], data["summary"]) == (name, "manual", "new market")
    assert data["data"]["rows"] > 0
    assert data["data"]["offsets"]["predictions"]
    assert [event.kind for event in loop._store.control_events()] == ["requested"]


@pytest.mark.parametrize(
    ("target", "version", "said"),
    [("fraud", None, "write --reason: a retraining by hand says why"), ("trg_1", "3", "--version and --force go with")],
)
def test_what_the_command_lacks_is_said_without_a_service(
    target: str, version: str | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        list(send_trigger(tmp_path / "none.yaml", target, None, version, force=False))


def test_without_a_service_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="start it with `monitor run`"):
        list(list_triggers(configured(tmp_path, 1), None, None, as_json=False))


def test_an_empty_list_says_so(tmp_path: Path) -> None:
    run = Asking()
    run.windows(2, amount=0.0)
    loop = looping(run)
    with turning(loop), served(loop, tmp_path) as config:
        assert list(list_triggers(config, None, None, as_json=False)) == ["no trigger has been made or withheld yet"]
