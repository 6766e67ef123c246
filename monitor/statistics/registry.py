"""Every statistic of features by name: what configuration may ask for, and what help texts and docs are made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from monitor.statistics.drift.chi_square import chi_square
from monitor.statistics.drift.cramer_von_mises import cramer_von_mises
from monitor.statistics.drift.energy import energy
from monitor.statistics.drift.g import g
from monitor.statistics.drift.hellinger import hellinger
from monitor.statistics.drift.jensen_shannon import jensen_shannon
from monitor.statistics.drift.kl import kl
from monitor.statistics.drift.kolmogorov_smirnov import kolmogorov_smirnov
from monitor.statistics.drift.l_infinity import l_infinity
from monitor.statistics.drift.mean_shift import mean_shift
from monitor.statistics.drift.psi import psi
from monitor.statistics.drift.spread_shift import spread_shift
from monitor.statistics.drift.total_variation import total_variation
from monitor.statistics.drift.wasserstein import wasserstein
from monitor.statistics.quality import invalid, missing, out_of_range, unseen
from monitor.statistics.statistic import Statistic

DRIFT: tuple[Statistic[Any], ...] = (
    psi,
    kl,
    jensen_shannon,
    hellinger,
    total_variation,
    l_infinity,
    chi_square,
    g,
    kolmogorov_smirnov,
    wasserstein,
    energy,
    cramer_von_mises,
    mean_shift,
    spread_shift,
)
QUALITY: tuple[Statistic[Any], ...] = (missing, invalid, out_of_range, unseen)

REGISTRY: Mapping[str, Statistic[Any]] = MappingProxyType({entry.name: entry for entry in (*DRIFT, *QUALITY)})
"""Read only; a test holds that names are unique and that every statistic of the package is here."""
