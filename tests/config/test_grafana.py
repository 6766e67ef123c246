from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import Config, describe, load, load_grafana
from monitor.errors import ConfigError
from tests.config.conftest import Write

TEXT = """
kafka: {bootstrap_servers: "localhost:9092"}
models: [{name: fraud, reference: references/fraud.profile}]
grafana: {url: "https://grafana.example/below/", token_file: grafana}
"""


def told(write: Write, token: str = "glsa_hunter2\n", mode: int = 0o600) -> Config:
    path = write(TEXT)
    secret = path.parent / "grafana"
    secret.write_text(token)
    secret.chmod(mode)
    return load(path)


def test_where_it_is_and_what_shows_it_who_asks(write: Write) -> None:
    config = told(write)
    access = config.grafana()
    assert access is not None
    assert (access.settings.url, access.token) == ("https://grafana.example/below", "glsa_hunter2")
    assert access == load_grafana(config.path)
    lines = [line.strip() for line in describe(config).splitlines()]
    assert "data_source: model-monitor  # default" in lines
    assert any(line.startswith("folder: ") and line.endswith("# default") for line in lines)
    assert config.warnings() == []


def test_the_token_is_never_shown_and_an_open_file_is_warned_of(write: Write) -> None:
    config = told(write, mode=0o644)
    (warning,) = config.warnings()
    assert "grafana.token_file names grafana, which every user of this machine can read" in warning
    assert "hunter2" not in f"{config!r} {config.grafana()!r} {describe(config)} {warning}"


@pytest.mark.parametrize("token", ["", "two words", "line\nline", "żeton", "\x7f" * 20])
def test_what_is_no_token_is_said_and_not_quoted(token: str, write: Write) -> None:
    config = told(write, token)
    for read in (config.grafana, lambda: load_grafana(config.path)):
        with pytest.raises(ConfigError, match=r"grafana\.token_file names grafana, which") as raised:
            read()
        assert not token or token not in str(raised.value)


def test_without_the_section_there_is_none(write: Write, tmp_path: Path) -> None:
    path = write(TEXT.replace("grafana:", "#"))
    assert load(path).grafana() is None
    assert "grafana" not in describe(load(path))
    with pytest.raises(ConfigError, match="has no `grafana`: add where it is"):
        load_grafana(path)


def test_commands_for_grafana_read_nothing_else_of_the_file(write: Write) -> None:
    config = told(write)
    config.path.write_text(f"nonsense: true\n{TEXT.replace('fraud.profile', 'none.profile')}")
    assert load_grafana(config.path).token == "glsa_hunter2"
    config.path.write_text(TEXT.replace("token_file", "token"))
    with pytest.raises(ConfigError, match=r"grafana\.token is not a known key: did you mean 'token_file'\?"):
        load_grafana(config.path)
