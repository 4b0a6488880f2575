"""The benchmark: what a request, an event and an open stream cost, beside other gateways, in one run."""
