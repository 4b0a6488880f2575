"""Labels and clearances: which offer may see what."""
