from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.units import duration_ms, duration_text, window_spec, window_text
from monitor.windows.window import WindowSpec


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("14d", 1_209_600_000), (" 1 h ", 3_600_000)],
)
def test_a_duration_is_a_number_and_its_unit(text: str, milliseconds: int) -> None:
    assert duration_ms(text) == milliseconds


def test_a_window_that_is_too_long_is_said_to_be() -> None:
    with pytest.raises(ValueError, match="is longer than 3650d, the longest duration there is"):
        window_spec("999999d")


@pytest.mark.parametrize("text", ["", "5", "m", "1.5h", "-5m", "1w", "1h30m", 5, None, True, "٣h", "9999999999999999d"])
def test_anything_else_is_none(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration: write"):
        duration_ms(text)


@given(st.integers(0, 3_650 * 86_400_000))
def test_durations_are_read_back_as_they_are_written(milliseconds: int) -> None:
    assert duration_ms(duration_text(milliseconds)) == milliseconds


def test_a_window_is_a_duration_or_a_number_of_rows() -> None:
    assert window_spec("1h") == WindowSpec(3_600_000)
    assert window_spec("500 rows") == WindowSpec(500, "rows")
    assert window_spec("1 row") == window_spec("1row") == window_spec("1 rows") == WindowSpec(1, "rows")
    assert window_text(window_spec("1 rows")) == "1 row"
    assert [window_text(window_spec(text)) for text in ("90s", "500 rows", "24h")] == ["90s", "500 rows", "1d"]


@pytest.mark.parametrize(
    "text", ["0 rows", "0h", "rows", "-1 rows", "1.5 rows", "1e3 rows", "1_000 rows", "1,000 rows", "5 rowss", 500]
)
def test_a_window_without_extent_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="window: write"):
        window_spec(text)
