"""A reference that was made here stands over a compiled one, and whoever put that in place is told."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from monitor.config import load
from monitor.engine import Monitor, Rebaseline
from monitor.profiles.reference import Reference
from monitor.runtime.commands import check
from monitor.runtime.service import Service
from monitor.runtime.store import Store
from monitor.windows.streams import Now
from tests.engine.saved import saved
from tests.engine.specs import HOURLY
from tests.profiles import rows as table

HOUR_MS = 3_600_000
SAID = (
    "version 3 of model m is compared, from 1970-01-01T04:00:00Z on, with a reference that was made here (a new "
    "product), not with the compiled one that the configuration names"
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a compiled reference, and a state in which another was accepted since."""
    compiled = Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(0), 2_000), None, version="3")
    (tmp_path / "m.profile").write_bytes(compiled.dump())
    path = tmp_path / "monitor.yaml"
    path.write_text(
        "kafka: {bootstrap_servers: 'localhost:1'}\n"
        "server: {port: 0}\n"
        "models: [{name: m, reference: {'3': m.profile}, alarms: {learning: 0s}, labels: none}]\n"
    )
    engine = Monitor([HOURLY], {"m": {"3": compiled}})
    model = engine.models["m"]
    for window in range(4):
        times = window * HOUR_MS + np.arange(240, dtype=np.int64)
        batch = table.predictions(np.random.default_rng(window), 240, first=240 * window, offset=240 * window)
        model.ingest(replace(batch, time_ms=times), (), {}, Now.at(1 << 50))
        model.finish((window + 1) * HOUR_MS)
    engine.obey(Rebaseline("m", "a new product"))
    with Store.open(tmp_path / "state") as store, store.transaction():
        store.put_state(saved(engine))
    return path


def test_check_says_that_a_made_reference_stands_over_the_file(config: Path) -> None:
    assert any(line.startswith(f"warning: {SAID}") for line in check(config, offline=True))


@pytest.mark.parametrize("written", ["{'': m.profile}", "m.profile", "{'2': m.profile}"])
def test_so_it_does_where_the_file_is_of_any_version_and_not_where_it_is_of_another(config: Path, written: str) -> None:
    config.write_text(config.read_text().replace("{'3': m.profile}", written))
    said = [line for line in check(config, offline=True) if line.startswith(f"warning: {SAID}")]
    assert len(said) == ("2" not in written)


def test_check_leaves_a_running_service_alone_makes_no_state_and_says_where_it_cannot_look(config: Path) -> None:
    state = config.parent / "state"
    with Store.open(state):
        assert not [line for line in check(config, offline=True) if line.startswith("warning: ")]
    (state / "STATE").write_text("damaged")
    (said,) = [line for line in check(config, offline=True) if line.startswith("warning: ")]
    assert "was not looked up" in said
    assert "is not what was written" in said
    config.write_text(config.read_text() + "state: elsewhere\n")
    assert not [line for line in check(config, offline=True) if line.startswith("warning: ")]
    assert not (config.parent / "elsewhere").exists()


def test_a_service_says_so_when_it_starts(
    config: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kafka in ("KafkaSource", "KafkaDeadLetters"):
        monkeypatch.setattr(f"monitor.runtime.service.{kafka}", Mock())
    with caplog.at_level(logging.WARNING):
        service = Service(load(config))
    service._delivery.close(0)
    service._closing.close()
    assert [record.message for record in caplog.records if record.message.startswith(SAID)] != []
