"""WebDAV (RFC 4918), as far as calendars and address books are kept by it.

client       one conversation with a server: requests, bounds, errors
multistatus  what a server answers about many resources at once
service      an account at a server, for who asks from the event loop
"""
