"""How often a stream of windows may alarm: the user's budget is in false alarms of a model a month."""

from __future__ import annotations

from monitor.windows.window import WindowSpec

MONTH_MS = 730.5 * 3_600_000
"""A twelfth of a year, in milliseconds."""

ROW_WINDOWS_A_MONTH = 730.0
"""Windows by row count have no length: as many as of an hour each."""


def windows_a_month(window: WindowSpec) -> float:
    """How many windows of one version end in a month."""
    return MONTH_MS / window.size if window.unit == "ms" else ROW_WINDOWS_A_MONTH


def evidence_limit(windows: float, budget: float, weight: float) -> float:
    """W / (A w): evidence at which a stream of W windows a month alarms, if it may use the share w of the A false
    alarms a month that its model is allowed.

    Evidence M <- (M + 1) e, with E[e] <= 1 whatever came before, grows by at most 1 a window on average. So a stream
    that begins anew after each alarm alarms at most once in `limit` windows in the mean, and the streams of a model
    together at most A times a month, however they depend on each other. Shin, Ramdas & Rinaldo 2022, arXiv:2203.03532.
    """
    return windows / (budget * weight)
