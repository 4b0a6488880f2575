"""What nobody but people can decide, by seat and data: questions to ask, each of the right person."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.catalog.advice.data import in_eea
from isthmus.catalog.advice.question import Workload
from isthmus.catalog.organisation import Organisation


def questions(organisation: Organisation, workload: Workload) -> Iterator[str]:
    """Sentences that name whom to ask what. They are no legal advice, and change no result."""
    kinds = set(workload.data)
    if in_eea(organisation) and kinds & {"personal", "patient", "privileged"}:
        yield "Ask your data protection officer whether an impact assessment (Art. 35 GDPR) is due before you start."
    if "patient" in kinds:
        if organisation.seat == "DE":
            yield (
                "Ask them, too, what the hospital act of your state says about patient data that leaves the hospital, "
                "and about secrecy (§ 203 StGB) wherever a service provider is let in."
            )
        if in_eea(organisation) and workload.capability in {"summary", "extraction", "classification"}:
            yield (
                "Ask regulatory affairs whether what you build is a medical device (MDR): it may be, as soon as it "
                "steers a diagnosis or a treatment. Have a doctor check every text before it is used."
            )
        if organisation.seat == "US":
            yield "Ask your privacy officer whether the processor and its subcontractors are covered by your BAAs."
    if "secret" in kinds:
        yield (
            'isthmus can take keys and passwords out of what leaves ([labels.secret] with else = "redact"). Ask again '
            "without secrets then, and mind that detectors miss some."
        )
    if "privileged" in kinds:
        yield "Ask your bar or counsel whether letting a provider see it keeps the privilege."
    if in_eea(organisation) and workload.use == "product" and workload.capability in {"chat", "agentic"}:
        yield "Tell users that a machine answers them (Art. 50 AI Act, in force since 2 August 2026)."
