"""Text out of the documents people have: text, Markdown, HTML, PDF and DOCX files.

A document may come from anywhere, so it is never taken apart in the process that asked: see `reading`.
"""
