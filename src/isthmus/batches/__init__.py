"""Batches: many requests handed over at once, answered one by one when there is room. No HTTP, no SQL.

Every line of a batch is a call on the road, like any other request; the vendors' own batch endpoints are never used.
"""
