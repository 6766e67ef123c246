"""The services of docker-compose.yml on this machine without containers: their own commands, files and environment.

What is changed, and nothing else: addresses of containers are free ports of loopback, volumes and mounted files are
copies in a folder, windows and scrapes take a second.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.alerts.promtool import tool
from tests.brokers import jars
from tests.deploy.files import ROOT, command, mounts, services
from tests.receivers import closed_port

WAIT_S = 60.0
QUICKER = {"window: 1m": "window: 1s", "lateness: 5s": "lateness: 500ms", "_interval: 15s": "_interval: 1s"}

Environment = Mapping[str, str]


class Native:
    """Where each service's files and addresses are. Its programs write what they say to `<service>.log`."""

    def __init__(self, directory: Path) -> None:
        self.services = services()
        self._directory = directory
        listening = ("kafka:9092", "127.0.0.1:9093", "model:9000", "monitor:8000", "prometheus:9090", "alertmanager:9093")
        self.addresses = {address: f"127.0.0.1:{closed_port()}" for address in listening}

    def log(self, service: str) -> str:
        return (self._directory / f"{service}.log").read_text()

    def folder(self, service: str) -> Path:
        """Where its mounted files are, beside each other."""
        return self._directory / service

    def volume(self, name: str) -> Path:
        path = self._directory / "volumes" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def write_files(self, service: str) -> None:
        """What is mounted into it."""
        self.folder(service).mkdir(exist_ok=True)
        for source, target, _ in mounts(self.services[service]):
            if source.startswith("./"):
                text = (ROOT / source).read_text()
                (self.folder(service) / Path(target).name).write_text(self.translated(service, text))

    def translated(self, service: str, text: str) -> str:
        """A text of the service with what is changed of it."""
        changes: dict[str, str] = {**self.addresses, **QUICKER}
        for source, target, _ in mounts(self.services[service]):
            here = self.folder(service) / Path(target).name if source.startswith("./") else self.volume(source)
            changes[target] = str(here)
        for old in sorted(changes, key=len, reverse=True):
            text = text.replace(old, changes[old])
        return text

    def arguments(self, service: str, key: str = "command") -> list[str]:
        return [self.translated(service, each) for each in self.services[service][key]]

    @contextmanager
    def running(self, service: str, arguments: Iterable[str], environment: Environment | None = None) -> Iterator[Any]:
        """Until the block ends, which it has to follow in order."""
        with (self._directory / f"{service}.log").open("wb") as log:
            program = subprocess.Popen(
                list(arguments),
                cwd=self.folder(service),
                env=dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                yield program
            finally:
                program.send_signal(signal.SIGTERM)
                program.wait(WAIT_S)

    def python(self) -> dict[str, str]:
        """The environment of our own programs: the code of this checkout."""
        return {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(self._directory)}


@contextmanager
def kafka(native: Native) -> Iterator[None]:
    """As the image starts it: its own wrapper makes properties of the environment, and formats the storage."""
    native.write_files("kafka")
    folder = native.folder("kafka")
    for name in ("defaults", "mounted", "final"):
        (folder / name).mkdir()
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (folder / "defaults" / name).touch()
    written = native.services["kafka"]["environment"]
    environment = {name: native.translated("kafka", _native_listeners(native, value)) for name, value in written.items()}
    environment |= {"PATH": os.environ["PATH"]}
    java = ["java", *environment["KAFKA_HEAP_OPTS"].split(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    java += ["-cp", f"{jars()}/*"]
    folders = zip(("--default-configs-dir", "--mounted-configs-dir", "--final-configs-dir"), ("defaults", "mounted", "final"))
    setup = [part for option, name in folders for part in (option, name)]
    done = subprocess.run(
        [*java, "kafka.docker.KafkaDockerWrapper", "setup", *setup],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with native.running("kafka", [*java, "kafka.Kafka", "final/server.properties"], environment):
        yield


def _native_listeners(native: Native, value: str) -> str:
    """Listeners of every interface are of loopback; the one for the host has a free port, too."""
    host = native.addresses.setdefault("127.0.0.1:9094", f"127.0.0.1:{closed_port()}")
    value = value.replace("PLAINTEXT://:9092", "PLAINTEXT://kafka:9092")
    return value.replace("HOST://:9094", f"HOST://{host}")
