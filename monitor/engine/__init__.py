"""The core as one object: composes events, profiles, windows, statistics and detection."""

from monitor.engine.intake import Result
from monitor.engine.labels import Due
from monitor.engine.model import Output
from monitor.engine.monitor import Monitor

__all__ = ["Due", "Monitor", "Output", "Result"]
