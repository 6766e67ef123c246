"""A real `monitor run` over the scripted models: its configuration, and its process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.simulation.traffic import LABELS, PREDICTIONS
from tests.simulation.world import references

AWAY = {"bootstrap_servers": "127.0.0.1:1"}
"""A broker that never answers."""

WAIT_S = 60.0
_NUMBERS = count()
STATE = "state"
UNREPORTED = {"expires": "0s", "budget": 1_000}
"""Of a pipeline that is asked whenever something is wrong, and never reports."""


def write_config(
    directory: Path,
    kafka: Mapping[str, object] = AWAY,
    topics: Mapping[str, str] | None = None,
    url: str = "http://127.0.0.1:1/",
    secret: str = "whsec_" + "A" * 43 + "=",
) -> Path:
    """monitor.yaml of `fraud` and `churn`, with their compiled references and the receiver's secret."""
    for name, versions in references().items():
        for reference in versions.values():
            (directory / f"{name}.profile").write_bytes(reference.dump())
    (directory / "secret").write_text(secret)
    (directory / "secret").chmod(0o600)
    client = {key: list(value) if isinstance(value, tuple) else value for key, value in kafka.items()}
    content = {
        "kafka": client | {"topics": dict(topics or {PREDICTIONS: PREDICTIONS, LABELS: LABELS})},
        "state": STATE,
        "window": "1m",
        "lateness": "10s",
        "idle_after": "1d",
        "alarms": {"learning": "0s"},
        "models": [
            {
                "name": "fraud",
                "task": "binary",
                "positive": "fraud",
                "reference": {"1": "fraud.profile"},
                "features": {"amount": "numeric", "country": "categorical"},
                "performance": {"metric": "accuracy", "drop": 0.1, "wait": "4m", "labels_min": 150},
                "retrain": {"webhook": "pipeline", "cooldown": "3m", "labels_min": 500, **UNREPORTED},
            },
            {
                "name": "churn",
                "task": "binary",
                "positive": "leave",
                "reference": "churn.profile",
                "features": {"usage": "numeric"},
                "labels": "none",
                "arrival": "batch",
                "retrain": {"webhook": "pipeline", "cooldown": "0s", **UNREPORTED},
            },
        ],
        "webhooks": {"pipeline": {"url": url, "secret_file": "secret"}},
        "server": {"port": 0},
    }
    path = directory / "monitor.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


class Service:
    """One life of the process; whatever happens in the block, it is over with it.

    prefix: a command that runs the service in its own place, under some fault.
    """

    def __init__(self, config: Path, prefix: Sequence[str] = ()) -> None:
        self._errors = config.with_name(f"stderr-{next(_NUMBERS)}")
        with self._errors.open("wb") as errors:
            command = [*prefix, sys.executable, "-m", "monitor.cli", "run", "--config", str(config)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, cwd=Path.cwd()
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(WAIT_S)

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return self._errors.read_text()

    def url(self) -> str:
        """Where it listens, once it says so."""
        found = self.wait_for(lambda: re.search(r"pages at (http\S+)", self.errors))
        return str(found[1])

    def refusal(self) -> str:
        """The one sentence with which it does not begin, nor leaves a trace of anything else."""
        assert self.exits() != 0
        assert self.errors.startswith("monitor: ")
        assert self.errors.count("\n") == 1
        return self.errors.removeprefix("monitor: ").rstrip()

    def metrics(self, url: str) -> dict[tuple[str, ...], float]:
        """Every sample by its name and the values of its labels, in the order of their names."""
        text = httpx.get(f"{url}/metrics", trust_env=False).raise_for_status().text
        families = text_string_to_metric_families(text)
        samples = [sample for family in families for sample in family.samples]
        return {(each.name, *(value for _, value in sorted(each.labels.items()))): each.value for each in samples}

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """What `condition` gives once it holds; fails where the process ends, or after WAIT_S."""
        deadline = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert self._process.poll() is None, f"it ended by itself: {self.errors}"
            assert time.monotonic() < deadline, f"it never came to that: {self.errors}"
            time.sleep(0.02)
        return found

    def exits(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(WAIT_S)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def catches(self, number: signal.Signals) -> bool:
        """Whether the signal would be handled, and not end it."""
        caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{self._process.pid}/status").read_text(), re.MULTILINE)
        assert caught is not None
        return bool(int(caught[1], 16) >> (number - 1) & 1)

    def terminate(self) -> int:
        """Ask it to stop; its exit code."""
        self.signal(signal.SIGTERM)
        return self.exits()

    def kill(self) -> None:
        """As the machine's power would; it must have been alive until then."""
        assert self._process.poll() is None, f"it ended by itself: {self.errors}"
        self._process.kill()
        assert self.exits() == -signal.SIGKILL
