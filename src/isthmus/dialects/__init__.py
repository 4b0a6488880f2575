"""The wire formats of clients and offers, as pure translators to and from the domain's messages."""
