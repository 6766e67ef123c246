"""The simulated model alone on a broker of the user's, and what is made for whoever watches it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.actions.signing import parse_secret
from monitor.demo import __main__ as alone
from monitor.demo import prepare, topics
from monitor.demo.broker import EmbeddedBroker
from monitor.demo.demo import SECRET
from monitor.demo.program import run
from monitor.demo.simulation import LABELS, PREDICTIONS, TOPICS
from monitor.demo.traffic import FEATURES
from monitor.errors import ConfigError, UnavailableError
from monitor.profiles.reference import Reference


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as embedded:
        yield embedded


def test_what_is_prepared_once_stays(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for topic in TOPICS:
        broker.create_topic(topic)
    prepare.main(broker.bootstrap_servers, tmp_path)
    token, secret = ((tmp_path / name).read_text() for name in (prepare.TOKEN, SECRET))
    assert (
        capsys.readouterr().out
        == f"the pages are at http://127.0.0.1:8000: any user name, and as the password {token}\n"
    )
    assert len(token) == 32
    parse_secret(secret)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in (prepare.TOKEN, SECRET)] == [0o444, 0o600]
    [profile] = tmp_path.glob("*.profile")
    made = profile.read_bytes()
    assert set(FEATURES) <= set(Reference.load(made).layout.features)

    prepare.main(broker.bootstrap_servers, tmp_path)
    assert [(tmp_path / name).read_text() for name in (prepare.TOKEN, SECRET)] == [token, secret]
    assert profile.read_bytes() == made


def test_a_broker_that_makes_no_topics_is_named(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the embedded one, which has not the request for it."""
    monkeypatch.setattr(topics, "_ANSWER_S", 0.5)
    with pytest.raises(UnavailableError, match=f"{broker.bootstrap_servers} made no topic predictions .*: create it"):
        prepare.main(broker.bootstrap_servers, tmp_path)


def test_a_broker_without_the_topics_is_told_from_one_that_is_away(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.create_topic(PREDICTIONS)
    with pytest.raises(UnavailableError, match="has no topic labels: create it"):
        alone.main(broker.bootstrap_servers)

    monkeypatch.setattr(topics, "_ANSWER_S", 0.1)
    broker.set_down()
    said: list[str] = []

    def is_back(text: str) -> None:
        said.append(text)
        broker.set_up()

    assert topics.missing_topics(broker.bootstrap_servers, (PREDICTIONS, LABELS), is_back) == [LABELS]
    assert said == [f"no broker answers at {broker.bootstrap_servers}: it is waited for"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file is no folder to write to"):
        prepare.main("127.0.0.1:1", tmp_path / "file")


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--secret-file: .*nowhere cannot be read"):
        alone.main("127.0.0.1:1", secret_file=tmp_path / "nowhere")


def test_errors_are_one_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise UnavailableError("nothing works: try again")

    monkeypatch.setattr("sys.argv", ["program"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        run(broken, "program")
    assert (ended.value.code, capsys.readouterr().err) == (69, "program: nothing works: try again\n")
