"""Whether a loss has risen: bets against "it is no larger than it may be", whose winnings are the evidence.

Losses y in [0, 1] are labelled predictions' errors (0 or 1), or any other bounded loss. H0: whatever came before, the
next loss is at most p in the mean. Against each alternative q > p of a fixed grid a label multiplies the wealth by

    (q / p)^y ((1 - q) / (1 - p))^(1 - y)

which for a bit is the likelihood ratio 1 + b (y - p) with b = (q - p) / (p (1 - p)). Between 0 and 1 it lies below that
line, as an exponential in y is convex and meets it at both ends. So its mean under H0 is at most 1 + b (E[y] - p) <= 1:
bets are fair for every bounded loss, not for bits alone. The logarithm is linear in y, hence a window's winnings are a
function of its labels' number and sum, in whatever order they came.

Labels that come in clusters win or lose together. Taking the c-th root of the winnings, c >= 1, is counting n / c
labels instead of n; by Jensen's inequality it keeps fair bets fair. c = 1 + (n - 1) rho is the variance of a sum of n
labels any two of which correlate by rho, relative to that of independent ones (Kish 1965). A reference is one table
without windows, so rho cannot be estimated from it: the monitor takes 0, and a model whose loss swings with the hour
by more than TOLERANCE will be found to do so.

Evidence follows Shiryaev and Roberts, M <- (M + 1) e per window and alternative, and is the mean over alternatives: see
`monitor.detection.budget` for what an alarm then costs. Waudby-Smith & Ramdas 2024, J. R. Stat. Soc. B 86(1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

TOLERANCE = 0.05
"""Share of the reference's loss by which it may rise: a change that nobody cares about is small beside the loss itself,
whether that is a rate of false negatives near 1/2 or an error rate of 1 %. Twice as much would hide a rise of the error
rate from 0.10 to 0.11 for ever, and a rise to 0.12 for nearly twice as many labels."""

CONFIDENCE = 0.99
"""Of the upper limit of the reference's own loss: what its labels leave in doubt must not alarm."""

STEPS = (0.15, 0.3, 0.6, 1.2, 2.4)
"""The alternatives, in log-odds above what may be. A true rise between the first and the last is within a third of one
of them, which costs no more than a ninth of the speed at which evidence grows."""

RELEASE = 0.01
"""An alarm may end once its evidence has fallen to this share of the limit: 4.6 nats of the losses' return."""

CALM = 4
"""Windows in a row that must leave it there: one good window between bad ones is no end."""

LOSS_MAX = 0.99
"""A stream whose loss may be larger than this cannot be tested: there is no room for a rise."""

_EVIDENCE_MAX = 1_000.0  # Times the limit: beyond it nothing more is told apart.


def bearable(labels: int, total: float) -> float:
    """The largest mean loss that is no alarm, from a reference's labels (at least one) and the sum of their losses.

    TOLERANCE above its mean; where so few labels leave the mean itself in doubt by more, its upper limit at CONFIDENCE.
    """
    mean = total / labels
    return max((1 + TOLERANCE) * mean, _upper(mean, labels))


def _upper(mean: float, labels: int) -> float:
    """The largest p with n KL(mean, p) <= -ln(1 - CONFIDENCE): Chernoff's limit, which holds for every bounded loss.
    Hoeffding 1963, J. Am. Stat. Assoc. 58(301), theorem 1. For bits it is 3.03 standard errors wide, hence 99.9 %.
    """
    doubt = -math.log(1 - CONFIDENCE) / labels
    low, high = mean, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle < 1 and divergence(mean, middle) <= doubt else (low, middle)
    return high


def divergence(mean: float, p: float) -> float:
    """Kullback-Leibler, nats, of two coins; p in (0, 1)."""
    heads = mean * math.log(mean / p) if mean > 0 else 0.0
    tails = (1 - mean) * math.log((1 - mean) / (1 - p)) if mean < 1 else 0.0
    return heads + tails


def log_winnings(p: float, labels: int, total: float, rho: float = 0.0) -> tuple[float, ...]:
    """What a window's labels win against each alternative, as natural logarithms. total: sum of their losses."""
    shrink = 1 + max(0, labels - 1) * rho
    log_odds = math.log(p / (1 - p))
    found = []
    for step in STEPS:
        # With q of log-odds log_odds + step: ln(q / p) - ln((1 - q) / (1 - p)) is step itself.
        quiet = math.log1p(math.exp(log_odds)) - math.log1p(math.exp(log_odds + step))
        found.append((total * step + labels * quiet) / shrink)
    return tuple(found)


@dataclass(slots=True)
class Bet:
    """Against one alternative. evidence: M. run: logarithm of the winnings since `since_ms`, the start of the first of
    the windows that have won on balance; labels, total: in these windows.
    """

    evidence: float = 0.0
    run: float = 0.0
    since_ms: int = 0
    labels: int = 0
    total: float = 0.0


@dataclass(slots=True)
class Stream:
    """The evidence that one loss of one version has risen. ratio: over the limit, as of the last window. alarmed: it
    has reached the limit, and not fallen to RELEASE for CALM windows since; calm: how many it has so far.
    """

    bets: list[Bet] = field(default_factory=lambda: [Bet() for _ in STEPS])
    ratio: float = 0.0
    alarmed: bool = False
    calm: int = 0

    @property
    def leading(self) -> Bet:
        """The bet with the most evidence: its run begins where the rise is likeliest to have begun."""
        return max(self.bets, key=lambda bet: (bet.evidence, bet.run))

    def update(self, p: float, labels: int, total: float, start_ms: int, limit: float, rho: float = 0.0) -> None:
        """Take in a loss's labels of one window, once; one without labels says nothing."""
        if labels:
            self.take_in(log_winnings(p, labels, total, rho), labels, total, start_ms, limit)

    def raise_alarm(self, start_ms: int, limit: float) -> None:
        """Alarm for another reason than the bets, which is held and ends as an alarm of theirs. start_ms: where it is
        likeliest to have begun, unless the bets know better.
        """
        for bet in self.bets:
            if bet.run <= 0:
                bet.since_ms = start_ms
            bet.run, bet.evidence = max(bet.run, math.log(limit)), limit
        self.ratio, self.alarmed, self.calm = 1.0, True, 0

    def take_in(self, winnings: Sequence[float], labels: int, total: float, start_ms: int, limit: float) -> None:
        """What one window wins against each alternative, as natural logarithms.

        An alarm would begin anew from no evidence. It goes on with it instead, held at the limit, to be seen falling
        again: until the alarm ends no other can begin, so there are fewer of them, and then all evidence is dropped.
        """
        for bet, won in zip(self.bets, winnings, strict=True):
            _take_in(bet, won, labels, total, start_ms)
            grown = math.log1p(bet.evidence) + won
            bet.evidence = math.exp(min(grown, math.log(_EVIDENCE_MAX * limit)))
        self.ratio = fmean(bet.evidence for bet in self.bets) / limit
        self.alarmed |= self.ratio >= 1
        if not self.alarmed:
            return
        for bet in self.bets:
            bet.evidence = min(bet.evidence, limit)
        self.calm = self.calm + 1 if self.ratio <= RELEASE else 0
        if self.calm >= CALM:
            self.bets, self.alarmed, self.calm = [Bet() for _ in self.bets], False, 0


def _take_in(bet: Bet, won: float, labels: int, total: float, start_ms: int) -> None:
    """The likeliest onset is where the winnings were last at their lowest. Page 1954, Biometrika 41(1/2)."""
    if bet.run <= 0:
        bet.run, bet.since_ms, bet.labels, bet.total = 0.0, start_ms, 0, 0.0
    bet.run += won
    bet.labels += labels
    bet.total += total
