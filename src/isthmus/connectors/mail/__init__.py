"""Mail: an IMAP account to read from and an SMTP server to send by.

account      what an account needs to be told, and how its tools are made
specs        the tools, as a model and the monitor know them
toolset      runs them
watch        waits for new mail

addresses, headers, words, structure, bodies, html: what the bytes of a mail mean. They take anything and raise nothing.
authenticity, marking: who wrote a mail, and who may read it.
items        mails as the agent sees them
identity     by which names mails are known
letter       makes mails
responses, mailbox, imap: speaking to the IMAP server
submission   speaking to the SMTP server
"""
