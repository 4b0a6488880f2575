"""The agent's run loop (to come)."""
