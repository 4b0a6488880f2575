"""The web: pages by their addresses, and a configured service that searches.

account      what an account needs to be told, and how its tools are made
specs        the tools, as a model and the monitor know them
toolset      runs them

addresses    which addresses on the web may be asked at all, in normal form
reach        where a host really is, and whether it may be connected to
fetching     one page, within caps, over connections to addresses that were checked
pages        what was fetched, as text and links
services     the search services, as data, and what they answer
"""
