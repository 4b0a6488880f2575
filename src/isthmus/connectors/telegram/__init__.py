"""Telegram: a bot (Bot API).

account      what an account needs to be told, and how its tools are made
bot          speaks to Telegram
updates      what Telegram's updates mean
"""
