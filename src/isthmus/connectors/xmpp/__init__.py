"""XMPP: an account at a server, its conversations, and the rooms that the settings name.

account      what an account needs to be told, and how its tools are made
client       speaks to the server
stanzas      what the server's stanzas mean
"""
