"""Notes: what the agent is to remember, as Markdown files that the user can read and edit with anything."""
