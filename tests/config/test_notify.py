from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import Config, describe, load
from monitor.errors import ConfigError
from tests.config.conftest import Write

TEXT = """
kafka: {bootstrap_servers: "localhost:9092"}
models: [{name: fraud, reference: references/fraud.profile}]
notify:
  slack: {url_file: slack}
  pagerduty: {routing_key_file: pagerduty, url: "https://events.eu.pagerduty.com"}
  team: {webhook: "https://team.example/in?token=hunter2", secret_files: [new, old], severity_min: major,
         resolved: false}
  mail: {apprise_file: mail, models: fraud, runbook: "https://wiki.example/fraud"}
"""
SECRETS = {
    "slack": "https://hooks.slack.example/services/hunter2",
    "pagerduty": "R0123hunter2",
    "new": "whsec_hunter2",
    "old": "whsec_hunter2",
    "mail": "mailto://u:hunter2@example.org\n# a comment\n",
}


def told(write: Write, mode: int = 0o600, **secrets: str) -> Config:
    path = write(TEXT)
    for name, text in {**SECRETS, **secrets}.items():
        (path.parent / name).write_text(text)
        (path.parent / name).chmod(mode)
    return load(path)


def test_what_each_receiver_is_follows_from_its_file_and_so_does_what_it_hears(write: Write) -> None:
    slack, pagerduty, team, mail = told(write).notified()
    assert [each.settings.kind for each in (slack, pagerduty, team, mail)] == [
        "url_file",
        "routing_key_file",
        "webhook",
        "apprise_file",
    ]
    assert [each.settings.level_min for each in (slack, pagerduty, team, mail)] == [
        "minor",
        "critical",
        "major",
        "minor",
    ]
    assert team.secrets == ("whsec_hunter2", "whsec_hunter2")
    assert (mail.settings.models, team.settings.resolved, slack.settings.resolved) == (("fraud",), False, True)


def test_secrets_are_never_shown_and_open_files_are_warned_of(write: Write) -> None:
    config = told(write, 0o644)
    warnings = config.warnings()
    assert "hunter2" not in f"{config!r} {config.notified()!r} {describe(config)} {warnings}"
    assert [warning.split(" names ")[0].rpartition(" ")[2] for warning in warnings] == [
        "notify.slack.url_file",
        "notify.pagerduty.routing_key_file",
        "notify.team.webhook",
        "notify.team.webhook",
        "notify.mail.apprise_file",
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("slack", "hunter2", "notify.slack.url_file names a file whose text is not an address"),
        ("pagerduty", "key: hunter2", "notify.pagerduty.routing_key_file names a file whose text is no key"),
        ("mail", "", "notify.mail.apprise_file names mail, which is empty: put the secret there"),
    ],
)
def test_a_secret_that_cannot_be_used_is_said_and_not_quoted(write: Write, name: str, text: str, said: str) -> None:
    config = told(write, **{name: text})
    with pytest.raises(ConfigError) as caught:
        config.notified()
    [problem] = caught.value.problems
    assert said in problem
    assert "hunter2" not in problem


def test_all_files_that_are_missing_are_said_at_once(write: Write, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(TEXT)).notified()
    assert len(caught.value.problems) == len(SECRETS)
