"""Which models exist, what they are, what they may be used for, what they cost: records of claims, and what follows."""
