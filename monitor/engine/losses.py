"""What is followed of a model's versions, window by window, and of that their losses: what the test finds of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from monitor.detection.betting import LOSS_MAX, Stream, bearable
from monitor.detection.performance import Fall
from monitor.engine.ledger import Ledger, unpacked
from monitor.profiles.reference import Reference
from monitor.statistics.performance import Loss, losses


class Worst(NamedTuple):
    """The loss, or the metric, nearest to its alarm limit, and its evidence over that limit; None where none is
    followed.
    """

    ratio: float | None = None
    loss: str = ""


@dataclass(slots=True)
class Followed:
    """What is known of one version. streams: by name of the loss; fall: of the metric."""

    streams: dict[str, Stream] = field(default_factory=dict)
    fall: Fall = field(default_factory=Fall)

    @property
    def risen(self) -> dict[str, Stream]:
        """The losses that have risen, worst first."""
        found = [(name, stream) for name, stream in self.streams.items() if stream.alarmed]
        return dict(sorted(found, key=lambda each: (-each[1].ratio, each[0])))

    @property
    def alarmed(self) -> bool:
        return self.fall.alarmed or bool(self.risen)


@dataclass
class LossReader:
    """Follows the losses of the versions that are compared with one reference."""

    reference: Reference

    @cached_property
    def known(self) -> Mapping[str, Loss]:
        """The reference's own losses: those that can be followed."""
        outcome = self.reference.outcome
        found = {} if outcome is None else losses(outcome, outcome)
        return {name: loss for name, loss in found.items() if bearable(*loss) <= LOSS_MAX}

    @cached_property
    def bearable(self) -> Mapping[str, float]:
        return {name: bearable(*loss) for name, loss in self.known.items()}

    def follow(self, ledger: Ledger, mine: Followed, limit: float) -> Worst:
        """Take in the labels of one window - its own, not its span's, as each label counts once. limit: of evidence."""
        mine.streams = {name: mine.streams.get(name, Stream()) for name in self.known}
        if self.reference.outcome is None or not self.known:
            return Worst()
        seen = losses(unpacked(self.reference.layout.outcome, ledger.outcome), self.reference.outcome)
        for name, stream in mine.streams.items():
            stream.update(self.bearable[name], *seen[name], ledger.window.start_ms, limit)
        ratio, name = max((stream.ratio, name) for name, stream in mine.streams.items())
        return Worst(ratio, name)
