"""Evidently at work in a process of its own: it takes seconds and hundreds of MB, and is no part of the service."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading

import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from monitor.errors import MonitorError, RefusedError, UnavailableError
from monitor.exports.markup import Markup
from monitor.exports.text import printable

DEADLINE_S = 60.0
"""Longest time that a report may take; 50 columns take about 17 s of a processor."""

HTML_MAX_BYTES = 64 << 20

WORKER = ("-P", "-m", "monitor.runtime.report_worker")

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"}
"""Each takes memory of its own, on a large machine more than all the rest."""

FAILED, OUT_OF_MEMORY, NOTHING, ABANDONED = 3, 4, 5, 6
"""Exit codes. Nothing: Evidently fails on every column; abandoned: the service has ended."""

_ERRORS_SHOWN = 2000

_log = logging.getLogger(__name__)


class Renderer:
    """Renders one report at a time. For any thread."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._rendering = threading.Lock()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def render(self, current: pd.DataFrame, reference: pd.DataFrame, title: str, banner: Markup) -> bytes:
        """The page on two samples of the same columns, numbers and text. RefusedError where Evidently can do none of
        these, UnavailableError while another one is rendered, and where it takes too long or too much.
        """
        if not self._rendering.acquire(blocking=False):
            raise UnavailableError("another report is being made, which takes seconds: ask again")
        try:
            now, before = (pa.Table.from_pandas(each, preserve_index=False) for each in (current, reference))
            return self._rendered(_streams(now.replace_schema_metadata({"title": title, "banner": banner}), before))
        finally:
            self._process = None
            self._rendering.release()

    def close(self) -> None:
        """Give up what is rendered, and render no more."""
        with self._starting:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def _rendered(self, tables: bytes) -> bytes:
        late = threading.Event()
        with self._started() as process:
            assert process.stdin is not None
            assert process.stdout is not None

            def give_up() -> None:
                late.set()
                process.kill()

            deadline = threading.Timer(self._deadline_s, give_up)
            deadline.start()
            try:
                process.stdin.write(tables)
                process.stdin.flush()
                answer = process.stdout.read(HTML_MAX_BYTES + 1)
                if len(answer) > HTML_MAX_BYTES:
                    process.kill()
            except BrokenPipeError:
                answer = b""  # It has ended, and its exit code says how.
            finally:
                code = process.wait()
                deadline.cancel()
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()  # Not before: its end is the worker's.
        if code == 0:
            return answer
        raise self._given_up(code, answer, late=late.is_set())

    def _started(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._closed:
                raise UnavailableError("the service is stopping: ask again when it is up")
            command = [sys.executable, *WORKER]
            environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)}
            self._process = subprocess.Popen(  # noqa: S603 - it is this program.
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
            return self._process

    def _given_up(self, code: int, said: bytes, *, late: bool) -> MonitorError:
        if self._closed:
            return UnavailableError("the service is stopping: ask again when it is up")
        if late:
            return UnavailableError(f"the report was not done within {self._deadline_s:g} s: ask again")
        if code == NOTHING:
            return RefusedError("Evidently fails on every column of this window: there is nothing to report on")
        if code == OUT_OF_MEMORY:
            return UnavailableError("the report took more memory than it may have: ask for another window")
        where = said[:_ERRORS_SHOWN].decode("utf-8", "replace") if code == FAILED else ""
        _log.warning("a report failed with exit code %d: %s", code, printable(where))
        return UnavailableError("the report failed: the service's log says where")


def _streams(*tables: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    for table in tables:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    return bytes(sink.getvalue())
