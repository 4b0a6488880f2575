"""Settings to prove, written as a user would."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from isthmus.app import App
from isthmus.proof.plan import plan
from isthmus.proof.run import Proof, prove
from isthmus.settings import Settings
from isthmus.settings.reading import read

OFFERS = """
[offers.home]
model = "m"
provider = "ollama"
cleared = "everything"

[offers.gpt]
model = "m"
provider = "openai"
key = "env:OPENAI_API_KEY"
region = "EU"

[offers.claude]
model = "m"
provider = "anthropic"
key = "env:ANTHROPIC_API_KEY"

[offers.gem]
model = "m"
provider = "gemini"
key = "env:GEMINI_API_KEY"
"""

RULES = """
[labels.phi]
detect = ["icd10"]
needs = { side = ["own"] }

[labels.pii]
detect = ["email", "iban"]
needs = { side = ["own"] }
else = "pseudonymise"

[labels.legal]
needs = { region = ["EU"] }
implies = ["internal"]
ledger = "strict"

[labels.internal]
needs = { side = ["own", "closed"] }
"""

WORKLOAD = """
[workloads.support]
offers = ["gpt", "claude", "gem", "home"]
"""

SMALL = """
[offers.gpt]
model = "m"
provider = "openai"
key = "env:OPENAI_API_KEY"

[offers.home]
model = "m"
provider = "ollama"

[labels.phi]
detect = ["icd10"]
needs = { side = ["own"] }

[labels.pii]
detect = ["email"]
needs = { side = ["own"] }
else = "redact"
"""


def written(folder: Path, text: str = OFFERS + RULES + WORKLOAD) -> Settings:
    """The settings of a file with this text."""
    file = folder / "isthmus.toml"
    file.write_text(text)
    environ = {"HOME": str(folder), **{f"{name}_API_KEY": "x" for name in ("OPENAI", "ANTHROPIC", "GEMINI")}}
    return read(file, environ=environ, ports={})


async def proved(
    settings: Settings, *, failing: bool = False, tamper: Callable[[App], None] = lambda _app: None
) -> Proof:
    """The proof of a short plan; with failing offers, which take their time, only where a test is about them."""
    planned = plan(settings, list(settings.keys.values()), quick=True)
    cells = [cell for cell in planned.cells if failing or cell.failure == "none"]
    return await prove(settings, replace(planned, cells=cells), tamper=tamper)
