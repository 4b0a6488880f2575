"""One module per probe, found by discovery; each makes a `PROBE`."""
