"""`webhooks`: engines by preset, templates of one's own, and how each is shown who asks."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from monitor.config import describe, load
from monitor.config.presets import PRESETS, preset
from monitor.config.template import FIELDS
from monitor.errors import ConfigError
from monitor.runtime.receivers import receivers
from tests.actions.pipelines import golden, message, pipeline
from tests.config.conftest import Write

HEAD = (
    "kafka: {bootstrap_servers: 'localhost:9092'}\n"
    "models: [{name: m, task: regression, reference: {learn: 14d}, features: {a: numeric}, performance: {drop: 1}}]\n"
)
OWN = """
webhooks:
  own:
    url: "https://own.example/run"
    token_file: hunter2
    template:
      path: [run, {$: event.model}]
      query: {v: {$text: {$: event.version}}}
      body: {none: null, deep: [[1, {$: fields.onset}]], odd: "a: #b"}
      success: {status: [200, 202], values: {/ok: true}}
      run: {$: name}
      lookup: {method: GET, query: {id: {$: id}}, found: /run}
"""
PAGE = (Path(__file__).parents[2] / "docs" / "PIPELINES.md").read_text()


def of(name: str) -> str:
    """A file with the settings of the golden request."""
    return f"{HEAD}webhooks: {{engine: {orjson.dumps(golden(name)['settings']).decode()}}}\n"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_receiver(name: str, write: Write, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    config = load(write(of(name)))
    [made] = receivers(config)
    assert made.name == "engine"
    assert "s3cret" not in f"{made!r} {config!r} {describe(config)} {config.webhooks()!r}"


@pytest.mark.parametrize("text", [*(of(name) for name in PRESETS), HEAD + OWN], ids=[*PRESETS, "own"])
def test_what_check_prints_of_a_receiver_means_the_same(text: str, write: Write) -> None:
    config = load(write(text))
    again = load(write(describe(config).replace("?...", "?key=abc")))
    assert again.file.webhooks == config.file.webhooks
    assert again.effective() == config.effective()


def test_what_a_template_says_is_in_the_digest(write: Write) -> None:
    digest = load(write(HEAD + OWN)).digest
    assert load(write(HEAD + OWN.replace("event.model", "event.reason"))).digest != digest
    assert load(write(HEAD + OWN.replace("none: null, ", ""))).digest != digest


def test_a_secret_that_cannot_be_read_is_named_when_the_service_starts(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"webhooks\.engine names secret, which cannot be read"):
        receivers(load(write(of("airflow3"))))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("secret_file: s, template: {body: 1}, preset: ", "w has both preset and template"),
        ("template: {body: 1}, token_file: a, secret_file: b", "w must have token_file, or user and password_file, or"),
        ("template: {body: 1, shown_in: Host}", "w.template.shown_in is a header that is written for you"),
        ("template: {body: 1, shown_in: 'x y'}", "w.template.shown_in is not the name of a header"),
        ("template: {headers: {'x y': a}}", "w.template.headers['x y'] is not the name of a header"),
        ('template: {headers: {x: "a\\r\\nb"}}', "w.template.headers.x holds what no header can"),
        ("template: {headers: {Authorization: b}}", "w.template.headers.Authorization is a header that is written"),
        (
            "template: {body: {$: secret.token}}, token_file: t",
            "w.template.body['$'] names 'secret.token', which is noth",
        ),
        ("template: {method: DELETE}", "w.template.method is 'DELETE', not one of GET, POST, PUT, PATCH"),
        ("template: {run: id}", "w.template.run is not a JSON pointer"),
        ("template: {run: 3}", "w.template.run must be a JSON pointer as /run/id, location, or a placeholder"),
        ("template: {run: {$: runn}}", "w.template.run['$'] names 'runn', which is nothing"),
        ("template: {success: {values: {ok: true}}}", "w.template.success.values is not a JSON pointer"),
        ("template: {success: {values: {/ok: [1]}}}", "w.template.success.values must be a mapping of JSON pointers"),
        ("template: {lookup: {success: {}}}", "w.template.lookup.found is missing"),
        ("preset: null", "w.preset is empty: name one of airflow2"),
        ("preset: github, repository: a/../b, token_file: t", "w.repository is no part of an address"),
        (
            "preset: kubeflow, pipeline: ''",
            "w.pipeline must be text: put the id of the pipeline that retrains in quotes",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_when_the_file_is_read(settings: str, sentence: str, write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(f"{HEAD}webhooks:\n  w: {{url: 'https://a.example', {settings}}}\n"))
    assert any(f"monitor.yaml:4: webhooks.{sentence}" in problem for problem in caught.value.problems)


def test_a_token_in_the_body_may_be_named_there(write: Write) -> None:
    text = "template: {body: {key: {$: secret.token}}, shown_in: body}, token_file: t"
    assert load(write(f"{HEAD}webhooks: {{w: {{url: 'https://a.example', {text}}}}}\n")).webhooks


@pytest.mark.parametrize("name", PRESETS)
def test_the_page_says_what_each_preset_takes(name: str, write: Write) -> None:
    _, _, section = PAGE.partition(f"\n### `{name}`\n")
    section = section.partition("\n### ")[0]
    [example] = [each.partition("```")[0] for each in section.split("```yaml\n")[1:] if f"preset: {name}" in each]
    load(write(f"{HEAD}webhooks:\n  {example}"))
    assert all(f"`{parameter}`" in section or f" {parameter}:" in section for parameter in preset(name).parameters)
    assert "repeat" in section


def test_the_page_shows_a_template_that_is_one(write: Write) -> None:
    example = PAGE.partition("## A template of your own\n\n```yaml\n")[2].partition("```")[0]
    settings = load(write(HEAD + example)).file.webhooks["trainer"].model_dump()
    [(_, request)] = pipeline({key: value for key, value in settings.items() if value is not None}).requests(
        message(), 0
    )
    assert request.url == "https://trainer.example/api/models/fraud/runs?dry=false"
    assert orjson.loads(request.body)["arguments"][0] == {"name": "from", "value": "2026-11-23T05:00:00Z"}
    assert all(f"`{name}`" in PAGE for name in FIELDS)
