"""The exact request of every preset, and that no event can bend one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.actions import signing
from monitor.actions.example import example
from monitor.actions.receiver import Request
from monitor.actions.retrain import Receipt
from monitor.config.presets import PRESETS, preset
from monitor.config.template import EVENT as NAMES
from monitor.config.template import FIELDS
from tests.actions.pipelines import EVENT, GOLDEN, ID, NAME, NOW_MS, SECRET, golden, message, pipeline

OWN = {
    "url": "https://own.example/base?key=abc",
    "token_file": "secret",
    "template": {
        "method": "PUT",
        "path": ["models", {"$": "event.model"}, {"$split": {"$": "event.version"}, "between": "v"}, {"$": "id"}],
        "query": {"summary": {"$": "event.summary"}, "window": {"$json": {"$": "event.window"}}},
        "headers": {"x-model": {"$": "event.model"}, "x-summary": {"$text": {"$": "event.summary"}}},
        "body": {
            "event": {"$": "event"},
            "pairs": {"$pairs": {"model": {"$": "event.model"}}},
            "entries": {"$entries": {"m": {"$": "event.model"}}},
        },
    },
}


def test_every_preset_has_a_golden_request() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*PRESETS, "event"}


@pytest.mark.parametrize("name", PRESETS)
def test_the_requests_of_a_preset_are_those_of_its_engines_documentation(name: str) -> None:
    expected = golden(name)
    made = [request for _, request in pipeline(expected["settings"]).requests(message(), NOW_MS)]
    assert [(each.method, each.url) for each in made] == [
        (each["method"], each["url"]) for each in expected["requests"]
    ]
    for request, wanted in zip(made, expected["requests"], strict=True):
        headers = {key.lower(): value for key, value in request.headers.items()}
        assert headers == wanted["headers"]
        if "json" in wanted:
            assert json.loads(request.body) == _with_event(wanted["json"])
        else:
            assert request.body.decode() == wanted.get("text", "")


@pytest.mark.parametrize("name", PRESETS)
def test_every_placeholder_of_a_preset_stands_for_something(name: str) -> None:
    assert list(preset(name).problems()) == []


def test_the_names_of_placeholders_are_those_of_the_event() -> None:
    made = json.loads(example("m", ["a"], "roc_auc", "engine", Receipt("0.1.0", base_url="http://m"), NOW_MS).body)
    # What lies beneath is by partition, which no name can say.
    made["data"]["data"]["offsets"] = {"predictions": {}, "labels": {}}
    assert _names(made["data"]) == _plain(NAMES)
    assert all(_at(EVENT["data"], path) is not None for path in FIELDS.values())


def test_an_example_is_marked_as_one() -> None:
    made = json.loads(example("m", ["a"], "roc_auc", "engine", Receipt("0.1.0"), NOW_MS).body)["data"]
    assert made["trigger"] == made["version"] == "example"
    assert made["summary"].startswith("An example, nothing has happened")


def test_what_an_event_does_not_know_is_null_empty_text_or_the_default() -> None:
    bare = {**EVENT, "data": {**EVENT["data"], "performance": None}}
    value = {"$": "event.performance.value"}
    body = {"plain": value, "text": {"$text": value}, "default": {**value, "default": 0}, "json": {"$json": value}}
    [(_, request)] = pipeline({"url": "https://a.example", "template": {"body": body}}).requests(message(bare), NOW_MS)
    assert json.loads(request.body) == {"plain": None, "text": "", "default": 0, "json": "null"}


def test_values_keep_their_types_and_become_text_only_where_asked() -> None:
    labels = {"$": "event.labels_available"}
    pairs = {"n": labels, "w": {"$": "event.window"}, "none": None, "yes": True}
    body = {
        "typed": labels,
        "text": {"$text": labels},
        "json": {"$json": {"a": [labels]}},
        "texts": {"$texts": pairs},
        "pairs": {"$pairs": {"n": labels, "eq": "a=b"}},
        "entries": {"$entries": {"n": labels}, "name": "key"},
        "named": {"$entries": {"n": labels}},
        "list": [labels, [None, 1.5]],
    }
    [(_, request)] = pipeline({"url": "https://a.example", "template": {"body": body}}).requests(message(), NOW_MS)
    assert json.loads(request.body) == {
        "typed": 37800,
        "text": "37800",
        "json": '{"a":[37800]}',
        "texts": {
            "n": "37800",
            "w": '{"start":"2026-11-23T10:00:00Z","end":"2026-11-23T11:00:00Z"}',
            "none": "",
            "yes": "true",
        },
        "pairs": ["n=37800", "eq=a=b"],
        "entries": [{"key": "n", "value": "37800"}],
        "named": [{"name": "n", "value": "37800"}],
        "list": [37800, [None, 1.5]],
    }


def test_a_template_may_be_signed() -> None:
    key = b"k" * 32
    signed = pipeline({"url": "https://a.example", "secret_file": "s", "template": {"body": 1}}, keys=(key,))
    [(_, request)] = signed.requests(message(), NOW_MS)
    assert request.headers["webhook-id"] == ID
    assert signing.verify([key], request.headers, request.body, NOW_MS / 1000)


def test_a_payload_that_github_would_refuse_goes_without_evidence() -> None:
    evidence = [{**EVENT["data"]["evidence"][0], "feature": "f" * 10_000}] * 20
    large = {**EVENT, "data": {**EVENT["data"], "evidence": evidence}}
    [(_, request)] = pipeline(golden("github")["settings"]).requests(message(large), NOW_MS)
    assert len(request.body) < 65_536
    assert json.loads(request.body)["client_payload"]["event"] == {**EVENT["data"], "evidence": []}


ODD = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        ["", ".", "..", "../../admin", "a/b", "a\r\nx-evil: 1", 'quo"te', "%2e%2e", "{{7*7}}", "é☃\U0001f600"]
    ),
)
LONG = "é" * 5_000 + "n" * 5_000


@pytest.mark.parametrize("chosen", [*PRESETS, "own"])
@settings(max_examples=15, deadline=None)
@given(odd=st.fixed_dictionaries({"model": ODD, "version": ODD, "summary": ODD}), feature=ODD, long=st.integers(0, 4))
def test_any_event_gives_a_valid_request(chosen: str, odd: dict[str, str], feature: str, long: int) -> None:
    odd = {name: LONG if place == long else value for place, (name, value) in enumerate(odd.items())}
    model = odd["model"]
    evidence = [{**EVENT["data"]["evidence"][0], "feature": LONG if long == 3 else feature}]
    event = {**EVENT, "data": {**EVENT["data"], **odd, "evidence": evidence}}
    wanted = OWN if chosen == "own" else golden(chosen)["settings"]
    usual = pipeline(wanted).requests(message(), NOW_MS)
    for (_, request), (_, plain) in zip(pipeline(wanted).requests(message(event), NOW_MS), usual, strict=True):
        sent = _sent(request)
        assert sent.url.host == urlsplit(wanted["url"]).hostname
        assert request.headers.keys() == plain.headers.keys()
        if chosen != "own":
            assert request.url == plain.url
        if request.body and "form" not in request.headers["content-type"]:
            assert _same(json.loads(request.body), json.loads(plain.body), event["data"])
        if "form" in request.headers.get("content-type", ""):
            assert parse_qs(request.body.decode(), keep_blank_values=True)["MODEL"] == [model]


@settings(max_examples=50, deadline=None)
@given(model=ODD, version=ODD, summary=ODD)
def test_each_part_of_an_address_stays_in_its_place(model: str, version: str, summary: str) -> None:
    event = {**EVENT, "data": {**EVENT["data"], "model": model, "version": version, "summary": summary}}
    [(_, request)] = pipeline(OWN).requests(message(event), NOW_MS)
    path, _, query = _sent(request).url.raw_path.decode().partition("?")
    parts = [part for each in version.split("/") for part in ("v", each)][1:]
    assert [unquote(segment) for segment in path.split("/")] == ["", "base", "models", model, *parts, ID]
    assert not {".", ".."} & set(path.split("/"))
    assert parse_qs(query, keep_blank_values=True) == {
        "key": ["abc"],
        "summary": [summary],
        "window": ['{"start":"2026-11-23T10:00:00Z","end":"2026-11-23T11:00:00Z"}'],
    }
    assert unquote(request.headers["x-model"]) == model
    assert all(" " <= character <= "~" for value in request.headers.values() for character in value)


def _with_event(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_event(inner) for key, inner in value.items()}
    return EVENT["data"] if value == "EVENT" else value


def _names(value: Any) -> Any:
    return {key: _names(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def _plain(value: Any) -> Any:
    return None if value is None else {key: _plain(inner) for key, inner in value.items()}


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[part]
    return value


def _sent(request: Request) -> httpx.Request:
    return httpx.Request(request.method, request.url, headers=dict(request.headers), content=request.body)


def _same(made: Any, usual: Any, event: dict[str, Any]) -> bool:
    """Whether a body is the usual one but for the values of the event."""
    if usual == EVENT["data"]:
        return bool(made == event)
    if isinstance(usual, dict):
        return made.keys() == usual.keys() and all(_same(made[key], usual[key], event) for key in usual)
    if isinstance(usual, list):
        return len(made) == len(usual) and all(map(_same, made, usual, [event] * len(usual)))
    return made == usual or any(made in _written(usual, name, event) for name in ("model", "version", "summary"))


def _written(usual: str, name: str, event: dict[str, Any]) -> Iterator[str]:
    """The ways in which a value of the event may stand where that of the usual one does."""
    if usual == EVENT["data"][name]:
        yield event[name]
        yield event[name][:1000]
    if usual == f"{name}={EVENT['data'][name]}":
        yield f"{name}={event[name]}"


def test_names_of_runs_are_those_that_kubernetes_takes() -> None:
    assert NAME.removeprefix("retrain-") == ID.removeprefix("msg_")
    [(_, request)] = pipeline({"url": "https://a.example", "template": {"body": {"$": "name"}}}).requests(message(), 0)
    assert json.loads(request.body) == NAME
    assert SECRET not in repr(pipeline(golden("airflow2")["settings"]))
