"""`monitor notify test`, and `monitor check` of whom it would reach."""

from __future__ import annotations

from pathlib import Path

import httpx
import orjson
import pytest

from monitor import cli
from monitor.actions import signing
from monitor.actions.receiver import Receiver as Receiving
from monitor.config import load
from monitor.config.notify import Notified
from monitor.errors import ConfigError, UnavailableError
from monitor.runtime import apprise
from monitor.runtime import notify_test as module
from monitor.runtime.commands import _receiver_problems, check
from monitor.runtime.notices import receiver
from monitor.runtime.notify_test import notify_test
from monitor.runtime.service import Service
from tests.config.conftest import compiled
from tests.ports import closed_port
from tests.receivers import Receiver, answers

SECRET = signing.generate_secret()


def write(directory: Path, notify: str, **files: str) -> Path:
    (directory / "fraud.profile").write_bytes(compiled("binary", None))
    for name, text in files.items():
        (directory / name).write_text(text)
    path = directory / "monitor.yaml"
    path.write_text(
        'kafka: {bootstrap_servers: "localhost:9092"}\n'
        f"models: [{{name: fraud, reference: fraud.profile}}]\nnotify: {notify}\n"
    )
    return path


def test_everybody_gets_one_message_that_says_it_is_a_test(tmp_path: Path) -> None:
    with Receiver(answers(200, b"ok")) as slack, Receiver(answers(202)) as pager, Receiver(answers(204)) as hook:
        path = write(
            tmp_path,
            f"{{chat: {{url_file: slack}}, page: {{routing_key_file: key, url: 'http://127.0.0.1:{pager.port}'}}, "
            f"team: {{webhook: '{hook.url}', secret_file: secret, severity_min: critical}}}}",
            slack=slack.url,
            key="R0123",
            secret=SECRET,
        )
        lines = sorted(notify_test(path, None))
        assert lines == ["chat: has it. HTTP 200.", "page: has it. HTTP 202.", "team: has it. HTTP 204."]
        [said] = slack.requests
        assert "TEST: model-monitor reaches you here" in orjson.loads(said.body)["text"]
        assert [orjson.loads(each.body)["event_action"] for each in pager.requests] == ["trigger", "resolve"]
        [signed] = hook.requests
    assert orjson.loads(signed.body)["type"] == "model.test"
    now_s = int(signed.headers["webhook-timestamp"])
    assert signing.verify([signing.parse_secret(SECRET)], signed.headers, signed.body, now_s)


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_receivers_and_links_are_those_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, shown: str
) -> None:
    given = []

    def noting(told: Notified, *where: str | None) -> Receiving:
        given.append(where)
        return receiver(told, *where)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "receiver", noting)
    with Receiver(answers(204)) as hook:
        path = write(
            tmp_path, f"{{team: {{webhook: '{hook.url}', secret_file: secret}}}}", secret=SECRET, token="t" * 20
        )
        path.write_text(f"{path.read_text()}server: {{host: '{host}', port: 81, token_file: token}}\n")
        assert list(notify_test(path, None)) == ["team: has it. HTTP 204."]
        [said] = hook.requests
    assert given == [(None, f"http://{shown}:81", "t" * 20)]
    assert orjson.loads(said.body)["data"]["links"]["page"] == f"http://{shown}:81/"


def test_who_cannot_be_told_is_named_with_the_reason(tmp_path: Path) -> None:
    with Receiver(answers(404, b"no_service")) as slack, Receiver(answers(202)) as pager:
        path = write(
            tmp_path,
            f"{{chat: {{url_file: slack}}, page: {{routing_key_file: key, url: 'http://127.0.0.1:{pager.port}'}}}}",
            slack=slack.url,
            key="R0123",
        )
        lines = []
        with pytest.raises(UnavailableError, match="not told: chat"):
            lines += notify_test(path, None)
        assert list(notify_test(path, "page")) == ["page: has it. HTTP 202."]
        assert len(slack.requests) == 1
        with pytest.raises(ConfigError, match="'pag' is none of `notify`: did you mean 'page'"):
            list(notify_test(path, "pag"))


def test_without_anybody_to_tell_it_says_how_to_add_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no `notify`: add whom to tell"):
        list(notify_test(write(tmp_path, "{}"), None))


def test_the_command_ends_as_the_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "{chat: {url_file: slack}}", slack=f"http://127.0.0.1:{closed_port()}/hunter2")
    monkeypatch.setattr("sys.argv", ["monitor", "notify", "test", "-c", str(path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 69
    assert said.out == "chat: failed. The receiver refused the connection.\n"
    assert said.err == "monitor: not told: chat\n"


def test_check_tries_to_reach_them_and_names_no_address(tmp_path: Path) -> None:
    path = write(tmp_path, "{chat: {url_file: slack}}", slack=f"http://127.0.0.1:{closed_port()}/hunter2")
    [problem] = _receiver_problems(load(path))
    assert problem.startswith("notify.chat cannot be reached (")
    assert "hunter2" not in problem


def test_the_service_shows_an_outbox_for_each_of_them(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"{{chat: {{url_file: slack}}, page: {{routing_key_file: key, url: 'http://127.0.0.1:{closed_port()}'}}}}",
        slack=f"http://127.0.0.1:{closed_port()}/",
        key="R0123",
    )
    path.write_text(path.read_text().replace("localhost:9092", f"127.0.0.1:{closed_port()}"))
    service = Service(load(path), port=0)
    try:
        assert service.snapshot().service.outbox_pending == {"chat": 0, "page": 0}
        shown = httpx.get(f"{service.server.url}/metrics", trust_env=False).text
        assert 'model_monitor_outbox_pending{receiver="page"} 0.0' in shown
    finally:
        service.stop()
        service.run()


def test_the_service_and_the_test_do_not_begin_without_the_library_that_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "{mail: {apprise_file: mail}}", mail="mailto://u:p@example.org")
    monkeypatch.setattr(apprise, "find_spec", lambda name: None)
    for begin in (
        lambda: Service(load(path), port=0),
        lambda: list(notify_test(path, None)),
        lambda: list(check(path, True)),
    ):
        with pytest.raises(ConfigError, match=r"notify\.mail needs the Apprise library"):
            begin()
    assert not (tmp_path / "state").exists()
