"""Real servers for tests, on loopback, one module each."""
