"""HTTP/1.1 to offers: pooled connections, deadlines on every phase, bounds on everything an upstream may send."""
