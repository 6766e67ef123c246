"""The core as one object: composes events, profiles, windows, statistics and detection."""

from monitor.engine.intake import Result
from monitor.engine.labels import Due
from monitor.engine.monitor import Monitor
from monitor.engine.orders import Acknowledge, Order, Rebaseline, Register
from monitor.engine.output import Output

__all__ = ["Acknowledge", "Due", "Monitor", "Order", "Output", "Rebaseline", "Register", "Result"]
