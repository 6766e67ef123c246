"""Faults of the machine for a real process: a disk that is full, fails to flush, or cannot be written.

They need Linux's namespaces and strace; where these are not to be had a test is skipped, or fails where
MODEL_MONITOR_REQUIRE_FAULTS=1 says that they must be there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount")
_READY_S = 30


def flushes_fail(nth: int) -> tuple[str, ...]:
    """A prefix under which the n-th flush to the disk, and that one alone, fails with EIO."""
    # With -D the service is the child that was started and strace its grandchild, so that signals reach the service.
    strace = ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync")
    _need("strace", [*strace, "true"])
    return (*strace, "-e", f"inject=fsync,fdatasync:error=EIO:when={nth}")


def files_are_limited(size: int) -> tuple[str, ...]:
    """A prefix under which no file may grow beyond this many bytes."""
    _need("prlimit", ["prlimit", f"--fsize={size}", "true"])
    return ("prlimit", f"--fsize={size}")


class Disk:
    """A file system of its own over a directory, which only processes that `prefix` runs can see."""

    def __init__(self, directory: Path, keeper: int) -> None:
        self._directory = directory
        self.prefix = ("nsenter", f"--target={keeper}", "--user", "--preserve-credentials", "--mount")
        self.seen = Path(f"/proc/{keeper}/root{directory}")
        """The directory as the service sees it."""

    def remount(self, options: str) -> None:
        subprocess.run([*self.prefix, "mount", "-o", f"remount,{options}", str(self._directory)], check=True)


@contextmanager
def disk(directory: Path, options: str) -> Iterator[Disk]:
    """Mount one with these options, "size=1m" or "ro", for as long as the block lasts."""
    mount = f"mount -t tmpfs -o {options} tmpfs {directory} && echo ready && exec sleep 600"
    directory.mkdir()
    _need("unshare", [*_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", str(directory)])
    with subprocess.Popen([*_NAMESPACES, "sh", "-c", mount], stdout=subprocess.PIPE) as keeper:
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == b"ready\n"
            yield Disk(directory, keeper.pid)
        finally:
            keeper.kill()


def _need(tool: str, trial: Sequence[str]) -> None:
    """Skip the test unless the tool is there and may do its work here."""
    works = shutil.which(tool) is not None
    works = works and subprocess.run(trial, capture_output=True, timeout=_READY_S, check=False).returncode == 0
    if not works:
        assert os.environ.get("MODEL_MONITOR_REQUIRE_FAULTS") != "1", f"{tool} is needed and does not work here"
        pytest.skip(f"{tool} is missing or not permitted")
