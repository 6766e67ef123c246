"""When a model's performance has fallen: its whole interval lies beyond the reference's figure by the agreed drop."""

from __future__ import annotations

from typing import Literal

from monitor.statistics.reading import Estimate


def fallen(estimate: Estimate, reference: float, drop: float, better: Literal["higher", "lower"]) -> bool:
    """Whether even the kindest end of the interval is worse than the reference by more than `drop`."""
    if better == "higher":
        return (estimate.value if estimate.upper is None else estimate.upper) < reference - drop
    return (estimate.value if estimate.lower is None else estimate.lower) > reference + drop
