"""Web screens (to come)."""
