"""The agent: a loop between any model and typed tools, and the monitor that stands between both."""
