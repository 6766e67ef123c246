"""The example's retraining pipeline as a process beside the demo, as it would be beside a service."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from monitor.errors import ConfigError, UnavailableError

EXAMPLE = Path(__file__).parents[2] / "examples" / "retraining" / "pipeline.py"
START_S = 30.0


class ExamplePipeline:
    """Listens on loopback while its context is open. say: is told each line of its log."""

    def __init__(
        self, directory: Path, config: Path, secret_file: Path, serving: str, say: Callable[[str], None]
    ) -> None:
        if not EXAMPLE.exists():
            raise ConfigError(
                f"--loop runs {EXAMPLE.parent}, which is not there: run it from a checkout of the project"
            )
        if importlib.util.find_spec("sklearn") is None:
            raise ConfigError("--loop trains with scikit-learn, which is not installed: pip install scikit-learn")
        self._port = _free_port()
        self._command = [
            *(sys.executable, str(EXAMPLE), "--config", str(config), "--secret-file", str(secret_file)),
            *("--serving", serving, "--port", str(self._port), "--runs", str(directory / "runs")),
        ]
        self._say, self._runs, self._refused = say, directory / "runs", 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/retrain"

    @property
    def taken(self) -> int:
        """Number of requests that it has written down."""
        return len([each for each in self._runs.glob("*") if each.suffix != ".new"]) if self._runs.exists() else 0

    @property
    def refused(self) -> int:
        """Number of requests whose signature was wrong, by its log."""
        return self._refused

    def __enter__(self) -> ExamplePipeline:
        self._process = subprocess.Popen(  # noqa: S603 - our own example, with our own arguments.
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for the demo, which ends it in order.
        )
        self._reader = threading.Thread(target=self._read, name="example pipeline", daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_S
        while not _listens(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise UnavailableError("the example's pipeline did not start: its log is above")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._refused += line.startswith("refused")
                self._say(f"pipeline: {line.rstrip()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
