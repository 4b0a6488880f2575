"""Tools of other people's MCP servers, under the monitor.

account    what such a server needs to be told, and how its tools are made
pins       the digest of a list of tools, by which a change is noticed
session    the connection
specs      tools as the monitor knows them, out of what the server and the operator say
results    what a tool gave, with its marks
toolset    runs them
"""
