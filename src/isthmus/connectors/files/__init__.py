"""Files in folders that the user names: found, read, written, moved and put into a trash, never lost."""
