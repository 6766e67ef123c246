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
from monitor.errors import ConfigError, StateError
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
    engine.obey(Rebaseline("m", "a new product"), 0)
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


def of_format(data: bytes, version: int) -> bytes:
    """The same bytes under the number of another format."""
    return data[:8] + version.to_bytes(2, "little") + data[10:]


@pytest.mark.parametrize("kind", ["progress", "reference"])
def test_a_state_of_another_format_is_said_to_be_one(config: Path, kind: str) -> None:
    """And does not keep `check` from saying all else."""
    with Store.open(config.parent / "state") as store:
        pieces = store.state()
        old = {key: of_format(data, 99) if f"/{kind}/" in key else data for key, data in pieces.items()}
        with pytest.raises(
            StateError, match=r"the state of model 'm' cannot be read \(.* version 99, .*begin with a new"
        ):
            Monitor([HOURLY], load(config).references()).restore(old)
        with store.transaction():
            store.put_state(old)
    said = [line for line in check(config, offline=True) if "was not looked up" in line]
    assert len(said) == (kind == "reference")


def test_a_compiled_file_of_another_format_is_to_be_compiled_again(config: Path) -> None:
    path = config.parent / "m.profile"
    path.write_bytes(of_format(path.read_bytes(), 1))
    with pytest.raises(
        ConfigError, match=r"m\.profile, which another version of this program wrote .*compile it again"
    ):
        load(config)


def test_a_state_directory_that_is_empty_stays_so(config: Path, tmp_path: Path) -> None:
    state = tmp_path / "fresh"
    state.mkdir()
    config.write_text(config.read_text() + f"state: {state}\n")
    assert [line for line in check(config, offline=True) if line.startswith("warning")] == []
    assert list(state.iterdir()) == []
