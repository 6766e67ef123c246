"""How a real process begins and ends: one at a time, in an orderly way, and never over a state that does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import load
from monitor.runtime.store import Store
from tests.simulation.service import STATE, Service, write_config
from tests.simulation.story import Story
from tests.simulation.world import LATER_MS, World, reference


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


def test_a_second_instance_on_the_same_state_is_refused_in_one_sentence(config: Path) -> None:
    with Service(config) as first:
        first.url()
        with Service(config) as second:
            assert second.exits() == 73
            assert second.errors.count("\n") == 1
            assert "one directory, one instance" in second.errors
        assert first.terminate() == 0


def test_a_service_that_is_asked_to_stop_lets_its_state_go(config: Path) -> None:
    with Service(config) as service:
        service.url()
        assert service.terminate() == 0
    Store.open(config.with_name(STATE)).close()
    assert not list(config.with_name(STATE).glob("*.wal")), "the log was not taken in"


def test_a_reference_that_was_replaced_under_open_windows_is_refused_in_one_sentence(config: Path) -> None:
    story = Story()
    story.predict("a", 0.5)
    loaded = load(config)
    specs = loaded.specs()
    world = World(story.log(), tuple(specs.values()), loaded.references(), directory=config.parent / "made")
    world.run()
    world.close()
    (config.parent / "made" / "0").rename(config.with_name(STATE))
    events = [
        {"type": "prediction", "model": "fraud", "timestamp": LATER_MS, "features": {"amount": number, "country": "PL"}}
        | {"prediction": "fraud", "score": 0.5}
        for number in range(300)
    ]
    labels = [
        {"type": "label", "id": "a", "model": "fraud", "timestamp": LATER_MS, "label": value}
        for value in ("fraud", "ok") * 150
    ]
    other = reference(specs["fraud"].schema, events, labels, "1")
    config.with_name("fraud.profile").write_bytes(other.dump())
    with Service(config) as service:
        assert service.exits() == 70
        assert service.errors.count("\n") == 1
        assert "was replaced while its windows were open" in service.errors
