"""Our tools for other people's programmes, by the Model Context Protocol.

door       what such a programme may do, and what it had been shown
serving    the protocol
"""
