"""The report as Markdown, for people who were not there."""

from __future__ import annotations

from isthmus.catalog.advice.advice import Advice
from isthmus.catalog.advice.report import Block, Bullets, Code, Page, Rows, Text, foot, pages


def markdown(advice: Advice) -> str:
    """The whole report. The decisions of all workloads come first, in a list."""
    found = tuple(pages(advice))
    name = advice.question.organisation.name
    parts = [f"# Open or closed{f': {name}' if name else ''}"]
    parts.append("\n".join(f"- **{page.title}**: {page.decision}" for page in found))
    parts += [_page(page) for page in found]
    parts.append(f"*{foot(advice)}*")
    return "\n\n".join(parts) + "\n"


def _page(page: Page) -> str:
    parts = [f"## {page.title}", page.asked, f"**{page.decision}**"]
    for section in page.sections:
        parts.append(f"### {section.title}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(parts)


def _block(block: Block) -> str:
    match block:
        case Text(text):
            return text
        case Bullets(items):
            return "\n".join(f"- {item}" for item in items)
        case Code(language, text):
            return f"```{language}\n{text.rstrip()}\n```"
        case Rows(header, rows):
            lines = [header, tuple("---" for _ in header), *rows]
            return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
