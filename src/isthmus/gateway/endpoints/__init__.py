"""The endpoints: a module for each resource, found by discovery (`isthmus.gateway.endpoint.endpoints`).

No module here imports another: an endpoint can be added, or taken away, without a look at the rest.
"""
