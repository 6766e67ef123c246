"""The core as one object: composes events, profiles, windows, statistics and detection."""

from monitor.engine.intake import Result
from monitor.engine.labels import Due
from monitor.engine.monitor import Monitor, Order
from monitor.engine.orders import Acknowledge, Rebaseline, Register
from monitor.engine.output import Output
from monitor.engine.retraining import Approve, Report, Retrain

__all__ = [
    "Acknowledge",
    "Approve",
    "Due",
    "Monitor",
    "Order",
    "Output",
    "Rebaseline",
    "Register",
    "Report",
    "Result",
    "Retrain",
]
