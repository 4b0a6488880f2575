"""The doctor: what is wrong with this installation and what it relies on, why, and what to do."""
