"""A reference that is sent for a version: taken for what the loop is asked to do, or refused with every reason."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import orjson
import pytest

from monitor.config import Config, load
from monitor.engine.references import References
from monitor.errors import ConfigError, NotFoundError, RefusedError, UnavailableError
from monitor.exports.api import create_app
from monitor.exports.behind import NOTHING, Behind
from monitor.exports.guard import REFERENCE_MAX_BYTES
from monitor.exports.orders import Registration
from monitor.profiles.reference import Reference
from monitor.runtime.service import Service
from monitor.runtime.store import Store
from monitor.runtime.versions import compared, registered
from monitor.spec import ModelSpec
from tests.engine.specs import HOURLY
from tests.exports.client import Client, Response
from tests.exports.snapshots import drifting
from tests.profiles import rows as table
from tests.runtime.rows import L, P, add

JSON = {"content-type": "application/json"}


def reference(**changes: object) -> Reference:
    return Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(1), 500), None, **changes)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "m.profile").write_bytes(reference(version="3").dump())
    path = tmp_path / "monitor.yaml"
    path.write_text("kafka: {bootstrap_servers: 'localhost:1'}\nmodels: [{name: m, reference: {'3': m.profile}}]\n")
    return load(path)


def test_the_loop_is_given_a_reference_of_that_version_with_what_takes_long_worked_out(config: Config) -> None:
    sent = reference(version="a working title")
    order = registered(config, config.specs(), Registration("m", "4", sent.dump()))
    assert (order.model, order.standard.version, order.standard.why) == ("m", "4", "registered")
    assert order.standard.reference.digest == replace(sent, version="4").digest
    assert {"watch", "drift", "performance"} <= order.standard.since(7).__dict__.keys()


def test_a_reference_of_another_model_is_refused_with_every_reason(config: Config) -> None:
    rows = table.predictions(np.random.default_rng(1), 500)
    fewer = replace(table.SCHEMA, features={"amount": "categorical", "other": "numeric"})
    columns = {"amount": rows.features["country"], "other": rows.features["amount"]}
    other = Reference.build(fewer, replace(rows, features=columns), None)
    with pytest.raises(ConfigError) as caught:
        registered(config, config.specs(), Registration("m", "4", other.dump()))
    said = "\n".join(caught.value.problems)
    assert "features.amount.type of model 'm' is numeric, but categorical in the reference that was sent" in said
    assert "features.country of model 'm' is not in the reference that was sent" in said
    assert "leaves out other of the reference that was sent" in said


@pytest.mark.parametrize("data", [b"", b"{}", reference().dump()[:-1]])
def test_bytes_that_are_no_reference_are_refused(config: Config, data: bytes) -> None:
    with pytest.raises(ConfigError, match="is no compiled profile"):
        registered(config, config.specs(), Registration("m", "4", data))


def test_a_model_that_nobody_configured_is_not_found(config: Config) -> None:
    with pytest.raises(NotFoundError):
        registered(config, config.specs(), Registration("x", "4", reference().dump()))


def shadowed(better: float) -> Store:
    """Version 2 answers as version 1 does; in a share of the requests, better."""
    random, store = np.random.default_rng(5), Store.in_memory()
    truth = random.random(2_000) < 0.5
    right = random.random(2_000) < 0.7
    mended = right | (random.random(2_000) < better)
    decisions = [np.where(each, truth, ~truth) for each in (right, mended)]
    rows = [
        P(key, key, 10_000, version, "1" if said else "0", (float(said),), (0, key, place))
        for place, (version, decided) in enumerate(zip("12", decisions, strict=True))
        for key, said in enumerate(decided.tolist())
    ]
    labels = [L(key, key, key, "1" if each else "0") for key, each in enumerate(truth.tolist())]
    with store.transaction():
        add(store, rows, labels, classes="1")
    return store


SPEC = replace(HOURLY, labelled=True, performance=replace(HOURLY.performance, metric="accuracy"))


@pytest.mark.parametrize(("better", "verdict"), [(0.5, "promote"), (0.0, "keep")])
def test_versions_are_compared_on_what_both_answered(better: float, verdict: str) -> None:
    references = References(SPEC, {"1": reference(version="1")})
    with shadowed(better) as store:
        found = compared(SPEC, references, ["2"], store, "1", "2")
        assert (found.verdict, found.pairs, found.metric) == (verdict, 2_000, "accuracy")
        assert compared(SPEC, references, ["9"], store, "1", "9").verdict == "not enough yet"
        with pytest.raises(NotFoundError, match="has no version '9'"):
            compared(SPEC, references, ["2"], store, "1", "9")
        behind = Behind(compare=lambda model, *versions: compared(SPEC, references, ["2"], store, *versions))
        answer = (
            Client(create_app(drifting, behind)).get("/api/v1/models/fraud/comparison?champion=1&challenger=2").json()
        )
    assert (answer["verdict"], answer["champion_version"], answer["challenger_version"]) == (verdict, "1", "2")
    assert answer["gain"]["value"] == pytest.approx(answer["challenger"]["value"] - answer["champion"]["value"])
    assert answer["wins"] - answer["losses"] == round(2_000 * answer["gain"]["value"])


@pytest.mark.parametrize(
    ("spec", "versions", "said"),
    [
        (replace(SPEC, labelled=False), "12", "has no labels"),
        (SPEC, "11", "the same version"),
        (replace(SPEC, performance=replace(SPEC.performance, metric="bias")), "12", "bias does not tell"),
    ],
)
def test_what_cannot_be_compared_is_refused(spec: ModelSpec, versions: str, said: str) -> None:
    references = References(spec, {"1": reference(version="1")})
    with Store.in_memory() as store, pytest.raises(RefusedError, match=said):
        compared(spec, references, ["2"], store, *versions)


def post(body: object, behind: Behind = NOTHING) -> Response:
    client = Client(create_app(drifting, behind))
    return client.post("/api/v1/models/fraud/versions", headers=JSON, content=orjson.dumps(body))


def test_the_api_hands_on_what_it_is_sent_also_where_that_is_large() -> None:
    data = bytes(3 << 20)
    asked: list[Registration] = []
    body = {"version": "4", "reference": base64.b64encode(data).decode()}
    answer = post(body, Behind(obey=lambda order: asked.append(order) or "done"))
    assert (answer.status_code, answer.json()) == (200, {"detail": "done"})
    assert asked == [Registration("fraud", "4", data)]


@pytest.mark.parametrize(
    ("error", "status"), [(ConfigError("a"), 422), (NotFoundError("a"), 404), (RefusedError("a"), 409)]
)
def test_what_cannot_be_done_is_said(error: Exception, status: int) -> None:
    def refuse(order: object) -> str:
        raise error

    answer = post({"version": "4", "reference": "AAAA"}, Behind(obey=refuse))
    assert (answer.status_code, answer.json()["detail"]) == (status, "a")


@pytest.mark.parametrize(
    "body",
    [{}, {"version": "4"}, *({"version": name, "reference": "AAAA"} for name in ("", "__other__", " 4", "4\x1f5"))],
)
def test_a_body_that_is_not_as_it_must_be_is_refused(body: object) -> None:
    assert post(body).status_code == 422


def test_a_body_beyond_the_limit_is_refused_unread() -> None:
    headers = {**JSON, "content-length": str(REFERENCE_MAX_BYTES + 1)}
    answer = Client(create_app(drifting)).post("/api/v1/models/fraud/versions", headers=headers)
    assert answer.status_code == 413


def test_one_comparison_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, end = threading.Event(), threading.Event()

    def slow(*_: object) -> str:
        begun.set()
        assert end.wait(10.0)
        raise RefusedError("compared")

    monkeypatch.setattr("monitor.runtime.service.compared", slow)
    model = SimpleNamespace(references=None, versions=("3", "4"))
    models = SimpleNamespace(models={"m": model})
    service = SimpleNamespace(
        _comparing=threading.Lock(),
        _loop=SimpleNamespace(monitor=models, snapshot=models),
        _specs={"m": SPEC},
        _store=None,
    )
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(Service.compare, service, "m", "3", "4")
        assert begun.wait(10.0)
        with pytest.raises(UnavailableError, match="another comparison is under way: ask again"):
            Service.compare(service, "m", "3", "4")
        end.set()
        assert isinstance(first.exception(10.0), RefusedError)
    with pytest.raises(RefusedError, match="compared"):
        Service.compare(service, "m", "3", "4")
