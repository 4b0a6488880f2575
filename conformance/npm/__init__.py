"""Clients of the npm registry, unchanged but for the base URL, through isthmus to offers of every dialect.

    python -m conformance.npm.run

Leaves out the clients that come by pip: they are tried beside this package.
"""
