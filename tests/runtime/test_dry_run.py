from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.errors import ConfigError
from monitor.runtime.dry_run import dry_run

FILE = """
kafka: {bootstrap_servers: 'localhost:9092'}
models:
  - {name: fraud, task: regression, reference: {learn: 14d}, performance: {drop: 1}, retrain: {webhook: airflow},
     features: {amount: numeric, age: {type: numeric, monitor: off}}}
  - {name: churn, task: regression, reference: {learn: 14d}, features: {a: numeric}, performance: {drop: 1}}
webhooks:
  airflow: {preset: airflow3, url: "https://airflow.example", dag: retrain, user: monitor, password_file: gone}
  dagster: {preset: dagster, url: "https://dagster.example", job: retrain, location: models, token_file: gone}
  gitlab: {preset: gitlab, url: "https://gitlab.example", project: a/b, ref: main, token_file: gone}
  jenkins: {preset: jenkins, url: "https://jenkins.example", job: retrain, user: monitor, password_file: gone}
  plain: {url: "https://pipeline.example/hook?token=hunter2", secret_file: gone}
  own:
    url: "https://own.example/hook?token=hunter2"
    secret_file: gone
    template: {method: PUT, query: {model: {$: event.model}}, body: {v: {$: event.version}}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "monitor.yaml"
    path.write_text(FILE)
    return path


def printed(file: Path, model: str | None = None, receiver: str | None = None) -> list[list[str]]:
    """The lines of each request, after the sentence that nothing is sent; no secret file exists, so none is read."""
    first, *requests = "\n".join(dry_run(file, model, receiver)).split("\n\n# ")
    assert first == "Nothing is sent: these are the requests for an example trigger."
    return [request.splitlines() for request in requests]


def test_the_requests_of_a_model_are_those_to_the_receiver_that_it_asks(file: Path) -> None:
    token, run = printed(file)
    assert token[:3] == [
        "model fraud, webhook airflow: for a token, which is kept while it is valid",
        "POST https://airflow.example/auth/token",
        "content-type: application/json",
    ]
    assert json.loads("\n".join(token[3:])) == {"username": "monitor", "password": "***"}
    assert run[:4] == [
        "model fraud, webhook airflow: for the run",
        "POST https://airflow.example/api/v2/dags/retrain/dagRuns",
        "content-type: application/json",
        "authorization: Bearer ***",
    ]
    body = json.loads("\n".join(run[4:]))
    assert (body["conf"]["model"], body["conf"]["trigger"]) == ("fraud", "example")
    assert [each["feature"] for each in body["conf"]["evidence"]] == ["amount"]
    assert body["conf"]["links"]["status"] == "http://127.0.0.1:8000/api/v1/triggers/example/status"


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("localhost", "localhost")])
def test_the_status_address_is_where_this_machine_reaches_the_service(host: str, shown: str, file: Path) -> None:
    file.write_text(f"{FILE}server: {{host: '{host}', port: 81}}\n")
    _, run = printed(file)
    assert (
        json.loads("\n".join(run[4:]))["conf"]["links"]["status"] == f"http://{shown}:81/api/v1/triggers/example/status"
    )


def test_a_question_before_a_repeat_is_printed_too(file: Path) -> None:
    question, run = printed(file, "churn", "dagster")
    assert question[0] == "model churn, webhook dagster: first: whether the run exists already, of an earlier try"
    assert "dagster-cloud-api-token: ***" in [line.lower() for line in run]


@pytest.mark.parametrize("receiver", ["gitlab", "jenkins", "plain", "own"])
def test_no_secret_is_printed(receiver: str, file: Path) -> None:
    [lines] = printed(file, "fraud", receiver)
    text = "\n".join(lines)
    assert "***" in text
    assert "hunter2" not in text


def test_what_is_signed_is_printed_without_its_signature(file: Path) -> None:
    [lines] = printed(file, "fraud", "own")
    assert lines[1] == "PUT https://own.example/hook?***&model=fraud"
    assert "webhook-signature: v1,***" in lines


def test_a_form_is_printed_a_field_a_line(file: Path) -> None:
    [lines] = printed(file, "fraud", "jenkins")
    assert "authorization: Basic ***" in lines
    assert "model=fraud" in lines


@pytest.mark.parametrize(
    ("model", "receiver", "said"),
    [
        ("frod", None, "'frod' is no model of `models`: did you mean 'fraud'?"),
        (None, "airflo", "'airflo' is no receiver of `webhooks`: did you mean 'airflow'?"),
        ("churn", None, "model 'churn' asks nobody for a retrained one: add `retrain: {webhook: NAME}`"),
    ],
)
def test_what_cannot_be_printed_is_said(model: str | None, receiver: str | None, said: str, file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        list(dry_run(file, model, receiver))
    assert said in str(caught.value)


def test_the_command_prints_it(file: Path) -> None:
    result = CliRunner().invoke(app, ["triggers", "dry-run", "-c", str(file), "--model", "fraud"])
    assert result.exit_code == 0
    assert "POST https://airflow.example/api/v2/dags/retrain/dagRuns" in result.stdout
