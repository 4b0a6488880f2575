"""A calendar: a CalDAV account.

account       what an account needs to be told, and how its tools are made
specs         the tools, as a model and the monitor know them
toolset       runs them

server        speaks CalDAV
identity      by which names events are known
ics           reads what is stored, whoever wrote it
appointment   what an event says, as values
expansion     at which times events take place
recurrence    rules of recurrence: checked, read and said in words
free          at which times nothing takes place
times         times as models and people write them
composing     writes events and changes them
invitation    invitations and answers to them, as mails
marking       who could have written an event, and who may read it
items         events as the agent sees them
"""
