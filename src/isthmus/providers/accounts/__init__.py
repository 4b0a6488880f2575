"""What accounts at providers are set to, read from the providers themselves: evidence E3."""
