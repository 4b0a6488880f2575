"""Messages: what all messaging services share.

service      what a service is to isthmus; each is one package (matrix, xmpp, telegram, slack)
marking      who wrote a message, and who may read it
items        channels and messages as the agent sees them
specs        the tools, as a model and the monitor know them
toolset      runs them, for one account or several
ear          hears what comes, over one connection that is made again when lost
journal      keeps what came until it is dealt with
front        where people meet the agent
"""
