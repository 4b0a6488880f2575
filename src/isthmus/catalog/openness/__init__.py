"""How open a model is: a headline, the axes behind it, and badges by other people's rules."""
