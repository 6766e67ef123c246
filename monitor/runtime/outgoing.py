"""What leaves the process for what was said: a message for each receiver that is to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor import __version__
from monitor.actions.outbox import Message
from monitor.actions.retrain import Receipt, retrain_request
from monitor.detection.records import Trigger
from monitor.engine import Monitor, Output


@dataclass(frozen=True, slots=True)
class Outgoing:
    """receivers: whom each model asks for a retrained one, by model. monitor: what the decisions come from, as it is
    now. config: digest of the configuration. base_url: where receivers reach the HTTP API.
    """

    receivers: Mapping[str, str]
    monitor: Callable[[], Monitor]
    config: str
    base_url: str

    def messages(self, output: Output, now_ms: int) -> list[Message]:
        """Of one step of one model. now_ms: wall clock."""
        return [
            retrain_request(
                change.trigger, self._receipt(change.trigger), self.receivers[change.trigger.window.model], now_ms
            )
            for change in output.trigger_changes
            if change.after == "pending"
        ]

    def _receipt(self, trigger: Trigger) -> Receipt:
        window = trigger.window
        references = self.monitor().models[window.model].references
        reference = references[references.key(window.version, window.start_ms)].reference.digest
        return Receipt(__version__, self.config, reference, trigger.profile, self.base_url)
