"""Counting the tokens of a request, without an answer to it.

A request to count is a request for a completion, sent to another path; what it says is translated as that is. Where
the offer that would serve cannot count, the road answers with an estimate, and nothing crosses.
"""
