"""Matrix: an account at a homeserver (client-server API).

account      what an account needs to be told, and how its tools are made
rooms        speaks to the homeserver
events       what the homeserver's events mean
"""
