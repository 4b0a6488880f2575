"""Evaluations, drift, economics (to come)."""
