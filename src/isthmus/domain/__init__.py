"""Values and rules everyone shares. No I/O."""
