"""Reminders and repeated tasks, as tools. It needs no account, only the store of jobs, and is made by who has that."""
