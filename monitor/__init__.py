"""Know whether machine-learning models are still right."""

__version__ = "0.1.0"
