"""The checks, found by looking: every module here has `CHECKS`."""
