"""The texts of a document, whatever kind it is of: told by its content, not by its name."""

from __future__ import annotations

from isthmus.connectors.documents.docx import docx_texts, is_zip
from isthmus.connectors.documents.html import html_text, is_html
from isthmus.connectors.documents.pdf import is_pdf, pdf_text
from isthmus.connectors.documents.refusal import Refused, require_bounded
from isthmus.connectors.documents.text import decoded


def texts_of(data: bytes) -> list[str]:
    """The texts of a document: one, or one for each part of it that stands apart.

    Raises:
        Refused: there is no text to be had.
    """
    if is_pdf(data):
        texts = [pdf_text(data)]
    elif is_zip(data):
        texts = docx_texts(data)
    elif is_html(data):
        texts = [html_text(data)]
    else:
        texts = [decoded(data)]
    require_bounded(sum(map(len, texts)))
    if not any(text and not text.isspace() for text in texts):
        raise Refused("it holds no text")
    return texts
