"""The records of the catalog, one module a kind: model, licence, provider, offer, terms.

They are never mixed: what weights are is the model's, what may be done with them the licence's, who serves them where
the offer's, and what is done with the data the terms'.
"""
