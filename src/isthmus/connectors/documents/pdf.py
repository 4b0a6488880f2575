"""PDF, by pypdf (extra `documents`)."""

from __future__ import annotations

import io

from isthmus.connectors.documents.refusal import Refused, require_bounded

_MAX_PAGES = 20_000


def is_pdf(data: bytes) -> bool:
    # Readers accept rubbish before the mark (ISO 32000-1, annex H.3.4.1).
    return b"%PDF-" in data[:1024]


def pdf_text(data: bytes) -> str:
    """The text of all pages, in one: sentences run on over the end of a page.

    Raises:
        Refused: it cannot be read, is encrypted, or holds no text.
    """
    try:
        import pypdf  # noqa: PLC0415
        from pypdf.errors import PyPdfError  # noqa: PLC0415
    except ImportError as error:
        raise Refused("PDF needs an extra: pip install 'isthmus[documents]'") from error
    pages: list[str] = []
    characters = 0
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("it is encrypted")
        if len(reader.pages) > _MAX_PAGES:
            raise Refused(f"it has more than {_MAX_PAGES:,} pages")
        for page in reader.pages:
            pages.append(page.extract_text())
            characters += len(pages[-1])
            require_bounded(characters)
    except (PyPdfError, ValueError, TypeError, KeyError, AttributeError, IndexError, OSError, ArithmeticError) as error:
        # Damaged files make pypdf raise whatever the damage leads to.
        raise Refused("it is damaged or encrypted in a way that is not known here") from error
    if not characters:
        raise Refused("its pages hold no text, only images perhaps")
    return "\n".join(pages)
