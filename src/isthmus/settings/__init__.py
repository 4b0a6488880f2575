"""Settings, read once at start into frozen values."""

from isthmus.settings.apart import load
from isthmus.settings.values import Limits, Server, Settings, Store, parse_bind
from isthmus.settings.watching import SettingsFile

__all__ = ["Limits", "Server", "Settings", "SettingsFile", "Store", "load", "parse_bind"]
