"""Settings, read once at start into frozen values."""
