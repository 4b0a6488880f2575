"""Slack: an app in a workspace (Web API, Socket Mode).

account      what an account needs to be told, and how its tools are made
workspace    speaks to Slack
events       what Slack's messages mean
"""
