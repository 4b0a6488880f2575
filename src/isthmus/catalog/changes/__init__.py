"""What changes between two states of the catalog, which of it loosens, and how it is applied."""
