"""Wire out: the only part that opens a connection to a model."""
