"""Finding labels in text (to come)."""
