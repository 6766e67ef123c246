"""The library itself, sending to a receiver on loopback."""

from __future__ import annotations

import subprocess
import sys
from importlib import util

import orjson
import pytest

from monitor.errors import ConfigError
from monitor.runtime import apprise
from tests.ports import closed_port
from tests.receivers import Receiver, answers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""The library has modules that look for others which Python no longer has."""

TOLD = {
    "token": "0123456789abcdef",
    "title": "Critical: it has fallen",
    "body": "roc_auc <b> & more\nSince: now",
    "type": "failure",
}


def program(urls: str, picture: str | None = None) -> tuple[int, str]:
    """A run of the real program: exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor.runtime.apprise"],
        input=orjson.dumps({**TOLD, "urls": urls, "picture": picture}),
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout.decode()


def address(receiver: Receiver) -> str:
    return f"json://127.0.0.1:{receiver.port}/in?token=hunter2"


def test_a_message_and_its_picture_arrive() -> None:
    with Receiver(answers(200, b"\x89PNG picture")) as pictures, Receiver(answers(200)) as receiver:
        code, said = program(f"# whom\n{address(receiver)}\n", pictures.url)
        [request] = receiver.requests
        assert pictures.requests[0].headers["authorization"] == "Bearer 0123456789abcdef"
    assert (code, said) == (0, "1 of the 1 addresses of apprise_file have taken it.")
    body = orjson.loads(request.body)
    assert (body["title"], body["message"], body["type"]) == (TOLD["title"], TOLD["body"], TOLD["type"])
    [attached] = body["attachments"]
    assert (attached["filename"], attached["mimetype"]) == ("incident.png", "image/png")


def send(*urls: str, picture: str | None = None) -> tuple[int, str]:
    """The same in this process."""
    return apprise.send({**TOLD, "urls": "\n".join(urls), "picture": picture})


def test_a_picture_that_is_not_there_does_not_cost_the_message() -> None:
    with Receiver(answers(404)) as pictures, Receiver(answers(200)) as receiver:
        assert send(address(receiver), picture=pictures.url)[0] == 0
        assert send(address(receiver), picture=f"http://127.0.0.1:{closed_port()}/")[0] == 0
        assert [orjson.loads(request.body)["attachments"] for request in receiver.requests] == [[], []]


def test_it_is_delivered_once_one_address_has_it_and_says_how_many_have() -> None:
    with Receiver(answers(200)) as good, Receiver(answers(500)) as bad:
        assert send(address(bad), address(good)) == (0, "1 of the 2 addresses of apprise_file have taken it.")
        assert send(address(bad)) == (1, "None of the 1 addresses of apprise_file has taken it.")


@pytest.mark.parametrize("text", ["hunter2://nowhere", "not an address hunter2", "# nothing\n"])
def test_an_address_that_the_library_cannot_use_is_said_by_its_number(text: str) -> None:
    with pytest.raises(ConfigError, match="write one of its URLs a line") as caught:
        apprise.check_addresses("mail", text)
    assert "hunter2" not in str(caught.value)
    apprise.check_addresses("mail", "mailto://u:p@example.org\njson://127.0.0.1/")


def test_without_the_library_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = util.find_spec
    monkeypatch.setattr(apprise, "find_spec", lambda name: None if name == "apprise" else found(name))
    with pytest.raises(ConfigError, match=r"notify.mail needs the Apprise library.*install model-monitor\[apprise\]"):
        apprise.need_apprise("mail")
    assert apprise.main() == 2
    assert capsys.readouterr().out == "The Apprise library is not installed: install model-monitor[apprise]."


def test_the_service_does_not_load_the_library() -> None:
    """It has a hundred and more parts, which would stay in memory."""
    program = "import sys, monitor.runtime.service; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
