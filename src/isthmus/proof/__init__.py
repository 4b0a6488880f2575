"""Proof, not promise: the user's own settings, played through with canaries and recording stand-ins for every offer.

The road, the gateway and the perimeter are the real ones. What may cross is worked out here from the rules alone, and
what did cross is read off the bytes that the stand-ins received.
"""
