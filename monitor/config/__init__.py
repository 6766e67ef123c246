"""The one reader of `monitor.yaml` and of what it names: frozen models, sentences for what is wrong, and the specs."""

from monitor.config.config import Config, Receiver, load, load_grafana, load_server, load_state
from monitor.config.describe import describe
from monitor.config.models import Columns, model_name

__all__ = [
    "Columns",
    "Config",
    "Receiver",
    "describe",
    "load",
    "load_grafana",
    "load_server",
    "load_state",
    "model_name",
]
