"""The command line, as far as it is more than a call of the runtime."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from monitor.cli import app


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
