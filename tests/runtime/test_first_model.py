"""docs/FIRST_MODEL.md as a reader would follow it: every file and command of it, and what it says that one sees."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from monitor.demo.broker import EmbeddedBroker

PAGE = Path(__file__).parents[2] / "docs" / "FIRST_MODEL.md"
_BLOCK = re.compile(r"```(\w+) ?([\w.]*)\n(.*?)```", re.DOTALL)
WAIT_S = 60.0


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, name of the file if it is one, and content."""
    return (found.groups() for found in _BLOCK.finditer(text))  # type: ignore[misc]


def adapted(text: str, broker: EmbeddedBroker) -> str:
    """For the embedded broker, whose version has to be named."""
    server = broker.bootstrap_servers
    text = text.replace('bootstrap_servers="localhost:9092"', f'bootstrap_servers="{server}", api_version=(2, 1)')
    return text.replace("bootstrap_servers: localhost:9092", f"bootstrap_servers: {server}\n  api_version: [2, 1]")


def words(command: str) -> list[str]:
    program, *rest = command.split()
    return [sys.executable, *(["-m", "monitor.cli"] if program == "monitor" else []), *rest]


def test_the_page_is_true(tmp_path: Path) -> None:
    said = ""
    with EmbeddedBroker() as broker:
        for kind, name, content in blocks(PAGE.read_text()):
            if kind == "python":
                (tmp_path / name).write_text(adapted(content, broker))
            elif kind == "text":
                assert all(line in said for line in content.splitlines()), (content, said)
            elif content.strip() == "monitor run":
                said = run(tmp_path)
            else:
                done = subprocess.run(words(content), cwd=tmp_path, capture_output=True, text=True, check=False)
                said = done.stdout + done.stderr
                assert done.returncode == 0, said
                config = tmp_path / "monitor.yaml"
                if content.startswith("monitor init"):
                    text = adapted(config.read_text(), broker)
                    config.write_text(text.replace("port: 8000", "port: 0"))


def run(directory: Path) -> str:
    """What the service says until it has opened incidents of drift and of performance; its pages are looked at then."""
    said: list[str] = []
    with subprocess.Popen(words("monitor run"), cwd=directory, stderr=subprocess.PIPE, text=True) as service:
        guard = threading.Timer(WAIT_S, service.kill)
        guard.start()
        assert service.stderr is not None
        for line in service.stderr:
            said.append(line)
            if all(f"{cause} incident opened" in "".join(said) for cause in ("drift", "performance")):
                break
        url = said[0].split()[-1]
        shown = httpx.get(url, trust_env=False).text
        model = httpx.get(f"{url}/api/v1/models/fraud", trust_env=False).json()
        service.send_signal(signal.SIGINT)
        said += service.stderr
        guard.cancel()
    assert service.returncode == 0, said
    assert "fraud" in shown
    states = {each["feature"]: each["state"] for each in model["current"][0]["features"]}
    assert (states["amount"], states["@score"]) == ("drifting", "drifting")
    assert states["country"] != "drifting"
    return "".join(said).replace(url, "http://127.0.0.1:8000")
