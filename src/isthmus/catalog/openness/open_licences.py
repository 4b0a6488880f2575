"""Which licences count as open, by whose rules.

A licence of a component is a name: an SPDX identifier, the id of one of our records, or whatever else somebody wrote.
A name that nobody knows is not open. Expressions of several licences (`MIT OR Apache-2.0`) are no names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isthmus.catalog.openness import spdx
from isthmus.catalog.records.licence import LicenceRecord

Licences = Mapping[str, LicenceRecord]
"""Licence records by id."""

Judge = Callable[[str, Licences], bool]
"""Whether the licence of that name is open."""

UNLICENSED = "unlicensed"
"""Written for what is there without any licence."""

_OPEN_DATA = frozenset(
    {
        *(
            "CC0-1.0",
            "CC-BY-1.0",
            "CC-BY-2.0",
            "CC-BY-2.5",
            "CC-BY-2.5-AU",
            "CC-BY-3.0",
            "CC-BY-3.0-AT",
            "CC-BY-3.0-AU",
        ),
        *("CC-BY-3.0-DE", "CC-BY-3.0-IGO", "CC-BY-3.0-NL", "CC-BY-3.0-US", "CC-BY-4.0", "CC-BY-SA-1.0", "CC-BY-SA-2.0"),
        *("CC-BY-SA-2.0-UK", "CC-BY-SA-2.1-JP", "CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-3.0-AT", "CC-BY-SA-4.0"),
        *("CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "ODC-By-1.0", "ODbL-1.0", "GFDL-1.3"),
        *("OGL-Canada-2.0", "OGL-UK-2.0", "OGL-UK-3.0"),
    }
)
"""Licences for data and documents that the Model Openness Framework takes for open, by SPDX identifier."""

_TOOL_OPEN = _OPEN_DATA | {"ODC-PDDL-1.0", "OpenMDW-1.0"}
"""With what its reference tool has besides. `ODC-PDDL-1.0` is no SPDX identifier, so what is under `PDDL-1.0` is not
open to the tool; of OpenMDW it knows the first version alone. Both are so on purpose here: this is what the tool says.
"""

_PAPER_OPEN = _OPEN_DATA | {"PDDL-1.0", "OpenMDW-1.0", "OpenMDW-1.1"}


def open_by_tool(name: str, licences: Licences) -> bool:
    """As the reference tool of the Model Openness Framework decides, by SPDX identifiers, letter for letter.

    Of a licence that has no such identifier, and that the tool cannot know, our record says whether it is open.
    """
    record = licences.get(name)
    if record is not None and record.spdx is None:
        return record.osi_approved or record.fsf_libre
    known = _identifier(name, licences)
    return spdx.osi_approved(known) or spdx.fsf_libre(known) or known in _TOOL_OPEN


def open_by_paper(name: str, licences: Licences) -> bool:
    """As the paper on the Model Openness Framework means it: approved, free, or made for open data and documents."""
    record, known = licences.get(name), _identifier(name, licences)
    free = spdx.fsf_libre(known) or (record is not None and record.fsf_libre)
    return osi_approved(name, licences) or free or known in _PAPER_OPEN


def osi_approved(name: str, licences: Licences) -> bool:
    """Whether the Open Source Initiative approved it."""
    record = licences.get(name)
    return spdx.osi_approved(_identifier(name, licences)) or (record is not None and record.osi_approved)


def _identifier(name: str, licences: Licences) -> str:
    record = licences.get(name)
    return name if record is None else record.spdx or record.id
