"""What whoever is refused at the perimeter is told."""

from typing import get_args

import pytest
from tests.fakes.rules import offer, policy, rule

from isthmus.domain.decision import Decision, Rejection
from isthmus.domain.label import Label, Labelled, LabelSource
from isthmus.perimeter.denial import denial


@pytest.mark.parametrize("source", get_args(LabelSource))
def test_every_source_of_a_label_can_be_told(source: LabelSource) -> None:
    decision = Decision(
        workload="w",
        goal="order",
        route=(),
        rejected=(Rejection("gpt", "not_cleared", "gpt is not cleared."),),
        labels=(Labelled(Label("phi"), source, "messages[0]", "code"),),
        catalog_version="v1",
    )
    error = denial(decision, policy(rule("phi")), [offer("gpt")])
    assert "Label 'phi': " in error.message
    assert "in messages[0] (code)" in error.message
    assert error.param == "messages[0]"
