"""Settings to prove, written as a user would."""

from collections.abc import Callable
from pathlib import Path

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

Write = Callable[[str], Settings]


def written(folder: Path, text: str = OFFERS + RULES + WORKLOAD) -> Settings:
    """The settings of a file with this text."""
    file = folder / "isthmus.toml"
    file.write_text(text)
    environ = {"HOME": str(folder), **{f"{name}_API_KEY": "x" for name in ("OPENAI", "ANTHROPIC", "GEMINI")}}
    return read(file, environ=environ, ports={})
