from __future__ import annotations

import numpy as np
import pytest

from monitor.statistics.registry import REGISTRY
from monitor.statistics.views import Quality


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    [
        ("missing", "numeric", 0.1),
        ("invalid", "numeric", 0.2),
        ("out_of_range", "numeric", 0.3),
        ("missing", "categorical", 0.1),
        ("invalid", "categorical", 0.2),
        ("unseen", "categorical", 0.3),
    ],
)
def test_each_share_is_of_all_rows(name: str, kind: str, share: float) -> None:
    view = Quality(kind, *np.array([50, 5, 10, 15]))
    assert REGISTRY[name](view).value == pytest.approx(share)
