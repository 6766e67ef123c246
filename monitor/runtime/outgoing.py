"""What leaves the process for what was said: a message for each receiver that is to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from monitor import __version__
from monitor.actions.notification import Audience
from monitor.actions.outbox import Message
from monitor.actions.retrain import Receipt, retrain_request
from monitor.detection.records import Trigger
from monitor.engine import Monitor, Output
from monitor.runtime.notices import notices


@dataclass(frozen=True, slots=True)
class Outgoing:
    """receivers: whom each model asks for a retrained one, by model. monitor: what the decisions come from, as it is
    now. config: digest of the configuration. base_url: where receivers reach the HTTP API. audiences: who is told of
    incidents.
    """

    receivers: Mapping[str, str]
    monitor: Callable[[], Monitor]
    config: str
    base_url: str
    audiences: Sequence[Audience] = ()

    def messages(self, output: Output, now_ms: int) -> list[Message]:
        """Of one step of one model. now_ms: wall clock."""
        requests = [
            retrain_request(
                change.trigger, self._receipt(change.trigger), self.receivers[change.trigger.window.model], now_ms
            )
            for change in output.trigger_changes
            if change.after == "pending"
        ]
        return requests + notices(output, self.audiences, self.monitor(), self.base_url, now_ms)

    def _receipt(self, trigger: Trigger) -> Receipt:
        window = trigger.window
        references = self.monitor().models[window.model].references
        reference = references[references.key(window.version, window.start_ms)].reference.digest
        return Receipt(__version__, self.config, reference, trigger.profile, self.base_url)
