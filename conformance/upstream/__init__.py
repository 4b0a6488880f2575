"""Stand-ins for the vendors behind isthmus, and what they have to say."""
