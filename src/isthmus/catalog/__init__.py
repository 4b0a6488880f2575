"""Which models exist, what they can do and what they cost: data files and a typed query."""
