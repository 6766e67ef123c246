"""The adapter: what it makes of everything that an address may answer with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.actions.receiver import Reply, Request, Response
from monitor.config.grafana import Access
from monitor.config.grafana import Grafana as Settings
from monitor.errors import ConfigError, MonitorError, RefusedError, UnavailableError
from monitor.runtime import grafana_calls
from monitor.runtime.grafana import Grafana, Noted
from tests import receivers
from tests.grafana import FakeGrafana
from tests.ports import closed_port
from tests.receivers import Behaviour, Receiver, answers, certified


def grafana(url: str, token: str = "glsa_admin") -> Grafana:
    return Grafana(Access(Settings(url=url, token_file="token"), token))


def asked(*script: Behaviour, call: Callable[[Grafana], Any] = Grafana.check) -> Any:
    """What a call makes of an answer. No more than one request is ever sent."""
    with Receiver(*script) as receiver:
        try:
            return call(grafana(f"http://127.0.0.1:{receiver.port}"))
        finally:
            assert len(receiver.requests) <= 1


@pytest.mark.parametrize("prefix", ["", "/grafana", "/behind/a/path"])
def test_it_is_found_behind_a_path(prefix: str) -> None:
    with FakeGrafana(prefix) as fake:
        found = grafana(fake.url)
        found.check()
        assert fake.state.calls == ["GET /search"]
        assert found.address("fleet") == f"{fake.url}/d/fleet"


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (401, ConfigError, "does not know this token: put one of a service account into grafana.token_file"),
        (403, ConfigError, "does not let this token do that: give its service account the role Viewer: no"),
        (404, UnavailableError, "no Grafana answers at"),
        (412, RefusedError, "refuses that (HTTP 412): no"),
        (429, UnavailableError, "fails (HTTP 429)"),
        (500, UnavailableError, "fails (HTTP 500)"),
        (502, UnavailableError, "fails (HTTP 502)"),
    ],
)
def test_each_refusal_is_one_sentence(status: int, error: type[MonitorError], said: str) -> None:
    with pytest.raises(error) as raised:
        asked(answers(status, b'{"message": "no"}'))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "glsa_admin" not in str(raised.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_said(status: int) -> None:
    with Receiver(answers(200, b"[]")) as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.port}/login?next=secret"
        with pytest.raises(
            ConfigError, match=r"sends us on to http://127.0.0.1:\d+/login\?\.\.\. .*correct grafana.url"
        ):
            asked(answers(status, location=place))
        assert elsewhere.requests == [], "the token went elsewhere"


@pytest.mark.parametrize("place", ["http://[", "\x1b[31mred", ""])
def test_a_redirect_to_anywhere_is_said(place: str) -> None:
    with pytest.raises(ConfigError, match="sends us on to") as raised:
        asked(answers(302, location=place))
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "body",
    [b"<html>message</html>", b"", b'"a message"', b"5", b"null", b'{"message": 5}', b"[5]", b"[" * 100_000, b"\xff"],
)
@pytest.mark.parametrize("status", [200, 400, 404])
def test_what_is_not_grafanas_answer_is_never_taken_for_it(status: int, body: bytes) -> None:
    with pytest.raises((UnavailableError, RefusedError)) as raised:
        asked(answers(status, body))
    assert "\n" not in str(raised.value)


def test_a_path_that_was_forgotten_is_said() -> None:
    with pytest.raises(UnavailableError, match=r"no Grafana answers at .*correct grafana.url, with the path"):
        asked(answers(404, b"<html>nothing here</html>"))


@pytest.mark.parametrize(
    "behaviour",
    [receivers.hangs, receivers.drips_headers, receivers.drips_body, receivers.floods_interim_answers],
)
def test_every_call_is_over_with_its_deadline(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grafana_calls, "TIMEOUT_S", 0.2)
    with pytest.raises(UnavailableError):
        asked(behaviour)


def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grafana_calls, "ANSWER_MAX", 100_000)
    with pytest.raises(UnavailableError, match="without whole JSON"):
        asked(receivers.never_ends_its_body)


def test_who_is_not_there_is_said() -> None:
    with pytest.raises(
        UnavailableError, match=r"cannot be reached \(nobody listens there\): start it, or correct grafana\.url"
    ):
        grafana(f"http://127.0.0.1:{closed_port()}").check()
    with pytest.raises(UnavailableError, match=r"cannot be reached \(its name is not known\)"):
        grafana("http://grafana.invalid").check()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_must_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, certificate = certified(tmp_path)
    with Receiver(answers(200, b"[]"), tls=context) as receiver:
        found = grafana(f"https://localhost:{receiver.port}")
        with pytest.raises(UnavailableError, match="its certificate is not trusted"):
            found.check()
        assert receiver.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        found.check()


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(answers(500)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        asked(answers(200, b"[]"))
        assert proxy.requests == []


def test_what_grafana_says_is_shown_on_one_line_and_cut() -> None:
    message = json.dumps({"message": "a\x1b[31m\nb" + "x" * 5_000}).encode()
    with pytest.raises(RefusedError) as raised:
        asked(answers(400, message))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300


CALLS: tuple[Callable[[Grafana], Any], ...] = (
    Grafana.check,
    lambda it: it.folder("Model monitor", "model-monitor"),
    lambda it: it.has_data_source("prometheus"),
    lambda it: it.put_data_source("prometheus", "Prometheus", "http://prometheus:9090"),
    lambda it: it.put_dashboard({"uid": "fleet", "title": "Fleet", "panels": []}, "model-monitor"),
    lambda it: it.annotations(["model-monitor"], 10),
    lambda it: it.annotate(Noted(1, 2, ("model-monitor",), "text")),
    lambda it: it.change(1, Noted(1, 2, ("model-monitor",), "text")),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["uid", "title", "dashboard", "meta", "id", "time", "timeEnd", "tags", "text", "message"])
            | st.text(max_size=2),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.sampled_from(CALLS), st.sampled_from([200, 200, 201, 400, 404, 409, 418]), JSON)
def test_no_answer_of_any_shape_is_more_than_an_error_of_ours(
    call: Callable[[Grafana], Any], status: int, body: Any
) -> None:
    async def answered(request: Request, timeout_s: float, most: int) -> Reply:
        return Response(status, body=json.dumps(body).encode())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(grafana_calls, "post", answered)
        with suppress(MonitorError):
            call(grafana("http://grafana.example"))


def test_the_library_is_loaded_by_those_alone_who_need_it() -> None:
    program = (
        "import sys, monitor.cli, monitor.runtime.commands, monitor.runtime.grafana_push\n"
        "raise SystemExit(bool({'grafana_api', 'requests'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
