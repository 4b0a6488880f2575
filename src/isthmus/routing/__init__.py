"""From request to completion: choice, retry, failover."""
