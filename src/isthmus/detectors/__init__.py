"""Finding sensitive stretches of text: rules for what has a form, a gate for what has only a meaning."""
