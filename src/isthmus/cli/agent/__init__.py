"""Where people meet the agent on the command line."""
