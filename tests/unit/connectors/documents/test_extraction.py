import builtins
import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pypdf
import pytest
from tests.unit.connectors.documents.samples import W, docx, pdf, word

from isthmus.connectors.documents import docx as docx_module
from isthmus.connectors.documents.extraction import texts_of
from isthmus.connectors.documents.refusal import MAX_TEXT, Refused


def text_of(data: bytes) -> str:
    (text,) = texts_of(data)
    return text


# ------------------------------------------------------------------------------------------------ text and HTML


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_text_is_read_in_the_encodings_people_use(encoding: str) -> None:
    assert text_of("Grüße, “Anna”".encode(encoding)) == "Grüße, “Anna”"


def test_html_is_what_a_reader_sees() -> None:
    page = """<!DOCTYPE html><html><head><title>Ward 3</title><style>p { color: red }</style>
    <script>let x = "<p>unseen</p>";</script></head>
    <body><p>Maria <b>Gonz</b>alez</p><p title="a note">next &amp; last</p><img alt="an X-ray"></body></html>"""
    text = text_of(page.encode())
    assert "Ward 3" in text
    assert "Maria Gonzalez\n" in text
    assert "next & last" in text
    assert "a note" in text
    assert "an X-ray" in text
    assert "unseen" not in text
    assert "color" not in text


def test_html_is_read_in_the_encoding_it_declares() -> None:
    page = '<html><head><meta charset="iso-8859-2"></head><body>Łódź</body></html>'
    assert "Łódź" in text_of(page.encode("iso-8859-2"))
    assert "Lodz" in text_of(b'<html><meta charset="no-such-thing">Lodz \xff</html>')


def test_markdown_with_some_html_in_it_stays_text() -> None:
    text = "# Title\n\n<b>bold</b> and `code`"
    assert text_of(text.encode()) == text


@pytest.mark.parametrize("data", [b"", b"  \n ", b"<html><body><script>x</script></body></html>"])
def test_a_document_without_text_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="holds no text"):
        texts_of(data)


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(Refused, match="none of text, Markdown, HTML, PDF and DOCX"):
        texts_of(b"\x7fELF\0\0\0")


def test_html_that_is_nested_without_end_is_read_all_the_same() -> None:
    assert "deep" in text_of(b"<html>" + b"<div>" * 200_000 + b"deep")


# -------------------------------------------------------------------------------------------------------- DOCX


def test_a_docx_is_read_with_its_notes_and_what_was_deleted_in_it() -> None:
    body = (
        f'<w:document xmlns:w="{W}"><w:p><w:r><w:t>Maria </w:t></w:r><w:r><w:t>Gonzalez</w:t><w:tab/></w:r>'
        "<w:del><w:r><w:delText>HIV</w:delText></w:r></w:del><w:instrText>PAGE</w:instrText></w:p></w:document>"
    )
    parts = {
        "word/header1.xml": word("Confidential"),
        "word/document.xml": body,
        "word/footnotes.xml": word("A note"),
        "word/comments.xml": word("Is she?"),
        "word/styles.xml": word("no text"),
        "docProps/app.xml": word("no text"),
    }
    assert texts_of(docx(parts)) == ["Maria Gonzalez\tHIV\n", "Is she?\n", "A note\n", "Confidential\n"]


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"word/document.xml": BOMB}, "declares a document type"),
        ({"word/document.xml": OUTSIDE}, "declares a document type"),
        ({"word/document.xml": "<a>" * 600 + "</a>" * 600}, "nested deeper than 512"),
        ({"word/document.xml": "<a><b></a>"}, "the XML of word/document.xml is damaged"),
        ({"word/document.xml": ""}, "the XML of word/document.xml is damaged"),
        ({"xl/workbook.xml": word("x")}, "not a DOCX document"),
        ({"word/header1.xml": word("x")}, "not a DOCX document"),
        ({f"part{number}": "" for number in range(10_001)}, "has 10,001 parts"),
    ],
    ids=["entities", "entity of a file", "deep", "damaged", "empty", "a spreadsheet", "no body", "many parts"],
)
def test_a_docx_that_no_word_processor_wrote_is_refused(parts: dict[str, str | bytes], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        texts_of(docx(parts))


def test_a_docx_that_unpacks_to_far_more_than_a_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_module, "_MAX_UNPACKED", 10_000_000)
    bomb = docx({"word/document.xml": word(" " * 11_000_000)})
    assert len(bomb) < 20_000
    with pytest.raises(Refused, match="unpacks to more than 9 MB"):
        texts_of(bomb)


def test_what_a_docx_says_of_its_sizes_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_module, "_MAX_UNPACKED", 1_000_000)
    honest = docx({"word/document.xml": word("x" * 2_000_000)})
    size = (2_000_000 + len(word("")) - 0).to_bytes(4, "little")
    lying = honest.replace(size, (100).to_bytes(4, "little"))
    assert lying != honest
    with pytest.raises(Refused):
        texts_of(lying)


def test_a_docx_that_is_damaged_or_encrypted_is_refused() -> None:
    whole = docx({"word/document.xml": word("text " * 1000)})
    with pytest.raises(Refused, match="damaged or encrypted"):
        texts_of(whole[:-30])
    encrypted = bytearray(docx({"word/document.xml": word("text")}, compression=zipfile.ZIP_STORED))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Refused, match="damaged or encrypted"):
        texts_of(bytes(encrypted))


# --------------------------------------------------------------------------------------------------------- PDF


def test_a_pdf_is_read_as_one_text() -> None:
    text = text_of(pdf(["Maria Gonzalez was admitted", "on Tuesday night."]))
    assert re.sub(r"\s+", " ", text).strip() == "Maria Gonzalez was admitted on Tuesday night."


def test_a_pdf_of_images_only_is_refused() -> None:
    with pytest.raises(Refused, match="hold no text"):
        texts_of(pdf(["", ""]))


def encrypted(data: bytes) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def cycle(data: bytes) -> bytes:
    return data.replace(b"/Kids [4 0 R", b"/Kids [2 0 R")


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:20],
        lambda data: data.replace(b"/Pages 2 0 R", b"/Pages 1 0 R"),
        cycle,
        encrypted,
    ],
    ids=["half", "a beginning", "no pages", "pages in a circle", "encrypted"],
)
def test_a_pdf_that_is_damaged_or_encrypted_is_refused(harm: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Refused):
        texts_of(harm(pdf(["Maria Gonzalez was admitted"])))


def test_without_the_extra_a_pdf_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "pypdf":
            raise ImportError(name)
        return really(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Refused, match=r"pip install 'isthmus\[documents\]'"):
        texts_of(pdf(["text"]))


def test_a_text_that_is_longer_than_any_document_is_refused() -> None:
    with pytest.raises(Refused, match="longer than"):
        texts_of(b"x" * (MAX_TEXT + 1))
