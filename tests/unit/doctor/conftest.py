from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.doctor.scenes import Machine, machine_below_open_folders


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine in a folder that others cannot look into."""
    return Machine(tmp_path)


@pytest.fixture
def shared_machine() -> Iterator[Machine]:
    """A machine on which others have accounts."""
    with machine_below_open_folders() as made:
        yield made
