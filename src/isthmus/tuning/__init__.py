"""From data set to adapter (to come)."""
