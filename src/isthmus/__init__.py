"""isthmus: one endpoint over closed and open models."""

__version__ = "0.1.0"
