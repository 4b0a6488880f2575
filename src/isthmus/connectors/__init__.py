"""Doors to the user's services (to come)."""
