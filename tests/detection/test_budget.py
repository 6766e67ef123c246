"""What a budget of false alarms a month allows one stream."""

from __future__ import annotations

import pytest

from monitor.detection.budget import evidence_limit, windows_a_month
from monitor.windows.window import WindowSpec


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (WindowSpec(3_600_000), 730.5),
        (WindowSpec(86_400_000), 365.25 / 12),
        (WindowSpec(500, "rows"), 730.5),
        (WindowSpec(500, "numbered rows"), 730.5),
    ],
)
def test_a_month_holds_as_many_windows_as_fit_and_of_rows_730(window: WindowSpec, expected: float) -> None:
    assert windows_a_month(window) == pytest.approx(expected)


def test_a_stream_alarms_once_in_as_many_windows_as_its_share_of_the_budget_says() -> None:
    # A tenth of an alarm a month is one in ten months; a fifth of it, one in fifty.
    assert evidence_limit(730.5, 0.1, 1.0) == pytest.approx(7_305)
    assert evidence_limit(730.5, 0.1, 0.2) == pytest.approx(36_525)
