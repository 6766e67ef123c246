"""The command line, as far as it is more than a call of the runtime."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.cli_parts import put


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("init t.csv --model m --task foo", "'--task': 'foo' is not one of 'binary', 'multiclass', 'regression'"),
        ("plan --rows many", "'--rows': must be a number"),
        ("backtest --predictions t.csv --budget much", "'--budget': must be a number"),
        ("demo --duration 1", "'--duration': must be at least 5"),
        ("demo --port 1.5", "'--port': must be a whole number"),
    ],
)
def test_the_value_of_an_option_that_cannot_be_is_refused_in_plain_words(command: str, said: str) -> None:
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 2
    assert f"Error: Invalid value for {said}" in result.stderr
    assert "Input should" not in result.stderr


def test_each_line_is_out_before_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="utf-8"))
    out = []

    def lines() -> Iterator[str]:
        for line in ("first", "second"):
            yield line
            out.append(raw.getvalue())

    put(lines())
    assert out == [b"first\n", b"first\nsecond\n"]
