"""The reference page of the advisories that came along: `python -m isthmus.doctor.advisories --page FILE`."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.doctor.advisories.record import Advisory, Affected, Extract

_HEAD = """# Known vulnerabilities

<!-- Written by `python -m isthmus.doctor.advisories --page docs/reference/advisories.md`; a test compares the two. -->

What `isthmus doctor` (`SC-1`, `SC-2`) compares installed packages and running engines with, without a network. It is an
extract: records of the packages below, as far as a copy of their database was at hand on the day named. It gets old;
`isthmus doctor --online` asks OSV itself. Ratings are the databases' own; where none could be read there is a dash, and
the doctor takes it for high. Where sources disagree the stricter range counts, and the note says so.

To make it anew, fetch the files that OSV publishes, one zip an ecosystem, and have the extract written:

```console
$ curl -O https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip
$ python -m isthmus.doctor.advisories --from osv=all.zip
```
"""


def page(extract: Extract) -> str:
    """The page, as Markdown."""
    return "".join(_parts(extract))


def _parts(extract: Extract) -> Iterator[str]:
    yield _HEAD
    yield f"\n{len(extract.advisories)} records, made on {extract.made_on}.\n"
    yield "\n| source | licence | copy of |\n| --- | --- | --- |\n"
    for source in extract.sources.values():
        yield f"| [{source.title}]({source.url}) | {source.licence} | {source.observed_on} |\n"
    packages = sorted({(one.ecosystem, one.package) for advisory in extract.advisories for one in advisory.affected})
    for ecosystem, package in packages:
        yield f"\n## {package} ({ecosystem})\n\n| record | rating | affected | |\n| --- | --- | --- | --- |\n"
        for advisory in extract.advisories:
            for affected in advisory.affected:
                if (affected.ecosystem, affected.package) == (ecosystem, package):
                    yield _row(advisory, affected)


def _row(advisory: Advisory, affected: Affected) -> str:
    names = ", ".join((f"[{advisory.id}]({advisory.url})", *advisory.aliases))
    says = " ".join(part for part in (advisory.summary, advisory.note) if part).replace("|", "\\|")
    level = "-" if advisory.level == "unknown" else advisory.level
    return f"| {names} | {level} | {_versions(affected)} | {says} |\n"


def _versions(affected: Affected) -> str:
    parts = []
    for span in affected.spans:
        bounds = [] if span.introduced == "0" else [f"≥ {span.introduced}"]
        bounds += [f"< {span.fixed}"] if span.fixed else [f"≤ {span.last_affected}"] if span.last_affected else []
        parts.append(" ".join(bounds) or "all")
    return ", ".join((*parts, *affected.versions))
