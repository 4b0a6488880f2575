"""Contacts: a CardDAV account.

account   what an account needs to be told, and how its tools are made
specs     the tools, as a model and the monitor know them
toolset   runs them
server    speaks CardDAV
card      what a card says, read from bytes of anybody; and cards as they are written
items     persons as the agent sees them, with their marks
"""
