"""`isthmus catalog`: one file per command, put together in `app`."""
