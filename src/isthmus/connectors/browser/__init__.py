"""A browser: Chromium, driven through Playwright, in a profile of its own.

account      what an account needs to be told, and how its tools are made
specs        the tools, as a model and the monitor know them
toolset      runs them

border       whom Chromium may be connected to at this moment
proxy        the only way out of Chromium, which keeps to the border
visits       what the hosts know already: what was typed there, where somebody is logged in
chromium     starts and ends the browser
page         the one page: opens addresses, acts on elements, stops what the page begins by itself
tree         a page as text with references
marking      who can have written a page, and who may read it
quarantine   files that come out of it
"""
