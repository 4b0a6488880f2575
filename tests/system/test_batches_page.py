"""What the page on batches shows runs as it stands, but for the address."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.upstream import WORDS, upstream
from tests.system.process import Isthmus, running

PAGE = Path(__file__).parents[2] / "docs/how-to/run-batches.md"
SAID = "".join(WORDS)


@pytest.fixture(scope="module")
def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_examples_print_the_answers(tmp_path: Path, examples: list[str]) -> None:
    with upstream() as offer:
        settings = f'[offers.far]\nprovider = "vllm"\nmodel = "m"\nurl = "{offer.url}"\n'
        with running(Isthmus(tmp_path, settings + '[workloads.triage]\noffers = ["far"]\n')) as isthmus:
            printed = []
            for example in examples:
                out = StringIO()
                known: dict[str, Any] = {}
                with redirect_stdout(out):
                    exec(example.replace("127.0.0.1:8090", f"127.0.0.1:{isthmus.port}").replace("ik-…", "none"), known)
                printed.append(out.getvalue())
                known["client"].close()
    assert printed == [f"mail-0 {SAID}\nmail-1 {SAID}\n", "mail-1 succeeded\n"]
