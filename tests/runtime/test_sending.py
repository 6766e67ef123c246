from __future__ import annotations

import asyncio
import sys
import textwrap
from pathlib import Path

import pytest

from monitor.actions.receiver import NoResponse, Reply, Response, Run
from monitor.runtime.post import BODY_MAX
from monitor.runtime.sending import send


def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, told: bytes = b"", timeout_s: float = 60
) -> Reply:
    """A run of a program that is given as text."""
    (tmp_path / "its_program.py").write_text(textwrap.dedent(program))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return asyncio.run(send(Run("its_program", told), timeout_s))


def test_a_program_is_told_on_its_standard_input_and_answers_on_its_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = "import sys; sys.stdout.write('heard ' + sys.stdin.read())"
    assert run(tmp_path, monkeypatch, echo, b"hello") == Response(200, body=b"heard hello")


def test_one_that_fails_and_one_that_does_not_exist_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(tmp_path, monkeypatch, "print('no', end=''); raise SystemExit(3)") == Response(500, body=b"no")
    reply = asyncio.run(send(Run("no_such_program", b""), 60))
    assert isinstance(reply, Response)
    assert reply.status == 500
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert asyncio.run(send(Run("its_program", b""), 60)) == NoResponse("internal")


def test_one_that_hangs_is_over_with_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = f"""
        import os, threading
        open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
        threading.Event().wait()
        """
    assert run(tmp_path, monkeypatch, hangs, timeout_s=0.5) == NoResponse("timeout")
    pid = tmp_path / "pid"
    assert not pid.exists() or not Path("/proc", pid.read_text()).exists()


def test_what_it_says_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = run(tmp_path, monkeypatch, f"print('x' * {3 * BODY_MAX})")
    assert isinstance(reply, Response)
    assert len(reply.body) == BODY_MAX
    assert "xxx" not in repr(reply)
