"""All durable state of the service: one DuckDB file, one writer, one transaction a step of the loop."""

from monitor.runtime.store.queues import ControlEvent
from monitor.runtime.store.store import Store

__all__ = ["ControlEvent", "Store"]
