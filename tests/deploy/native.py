"""The services of docker-compose.yml on this machine without containers: their own commands, files and environment.

What is changed, and nothing else: addresses of containers are free ports of loopback, volumes and mounted files are
copies in a folder, windows and scrapes take a second.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.alerts.promtool import tool
from tests.alerts.stack import awaited
from tests.brokers import jars
from tests.deploy.files import ROOT, command, mounts, services
from tests.ports import closed_ports

WAIT_S = 120.0
QUICKER = {
    "window: 1m": "window: 1s",
    "lateness: 5s": "lateness: 500ms",
    "scrape_interval: 15s": "scrape_interval: 1s",
    "evaluation_interval: 15s": "evaluation_interval: 1s",
}

LISTENING = {"prometheus": "127.0.0.1:9090", "alertmanager": "alertmanager:9093"}
ADDRESSES = ("kafka:9092", "127.0.0.1:9095", "127.0.0.1:9094", "model:9000", "monitor:8000", *LISTENING.values())

Environment = Mapping[str, str]


class Native:
    """Where each service's files and addresses are. Its programs write what they say to `<service>.log`."""

    def __init__(self, directory: Path) -> None:
        self.services = services()
        self._directory = directory
        ports = closed_ports(len(ADDRESSES))
        self.addresses = {address: f"127.0.0.1:{port}" for address, port in zip(ADDRESSES, ports, strict=True)}
        for everywhere, inside in (("PLAINTEXT://:9092", "kafka:9092"), ("HOST://:9094", "127.0.0.1:9094")):
            listener = everywhere.partition(":")[0]
            self.addresses[everywhere] = f"{listener}://{self.addresses[inside]}"
        self.addresses["host: 0.0.0.0"] = f"host: 0.0.0.0\n  port: {self.port('monitor:8000')}"

    def port(self, address: str) -> str:
        """Where what is at this address in the stack is here."""
        return self.addresses[address].rpartition(":")[2]

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
        longest_first = "|".join(re.escape(old) for old in sorted(changes, key=len, reverse=True))
        return re.sub(rf"(?<!\w)({longest_first})", lambda found: changes[found[0]], text)

    def arguments(self, service: str, key: str = "command") -> list[str]:
        return [self.translated(service, each) for each in self.services[service][key]]

    def program(self, service: str) -> list[str]:
        """One of ours: its entry point and command."""
        python, *arguments = self.arguments(service, "entrypoint") + self.arguments(service)
        assert python == "python"
        return [sys.executable, *arguments]

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
    """As the image starts it: Kafka's own wrapper makes properties of the environment, and formats the storage."""
    folder = native.folder("kafka")
    for name in ("default", "mounted", "final"):
        (folder / name).mkdir(parents=True)
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (folder / "default" / name).touch()
    written = native.services["kafka"]["environment"]
    environment = {name: native.translated("kafka", value) for name, value in written.items()}
    environment["PATH"] = os.environ["PATH"]
    java = ["java", *environment["KAFKA_HEAP_OPTS"].split(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    java += ["-cp", f"{jars()}/*"]
    places = [part for name in ("default", "mounted", "final") for part in (f"--{name}-configs-dir", name)]
    setup = subprocess.run(
        [*java, "kafka.docker.KafkaDockerWrapper", "setup", *places],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert setup.returncode == 0, setup.stdout + setup.stderr
    with native.running("kafka", [*java, "kafka.Kafka", "final/server.properties"], environment):
        yield


@contextmanager
def prometheus(native: Native, service: str) -> Iterator[None]:
    """Prometheus or Alertmanager, with the arguments of the file."""
    native.write_files(service)
    program = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}[service]
    listen = f"--web.listen-address={native.addresses[LISTENING[service]]}"
    with native.running(service, [tool(program), *native.arguments(service), listen]):
        yield


@contextmanager
def monitor(native: Native) -> Iterator[None]:
    """As the Dockerfile starts it, in the folder of its configuration."""
    native.write_files("monitor")
    program, *arguments = command("ENTRYPOINT") + command("CMD")
    assert program == "monitor"
    with native.running("monitor", [sys.executable, "-m", "monitor.cli", *arguments], native.python()):
        awaited(lambda: httpx.get(f"http://{native.addresses['monitor:8000']}/livez", trust_env=False).is_success)
        yield


@contextmanager
def model(native: Native) -> Iterator[None]:
    native.folder("model").mkdir()
    with native.running("model", [*native.program("model"), "--port", native.port("model:9000")], native.python()):
        yield


def prepare(native: Native) -> None:
    """To its end, which the others wait for."""
    native.folder("prepare").mkdir()
    with native.running("prepare", native.program("prepare"), native.python()) as program:
        assert program.wait(WAIT_S) == 0, native.log("prepare")


@contextmanager
def whole(directory: Path) -> Iterator[Native]:
    """All of them but Grafana, in the order in which they wait for each other."""
    native = Native(directory)
    with ExitStack() as stack:
        stack.enter_context(kafka(native))
        prepare(native)
        stack.enter_context(model(native))
        for service in ("alertmanager", "prometheus"):
            stack.enter_context(prometheus(native, service))
        stack.enter_context(monitor(native))
        yield native
