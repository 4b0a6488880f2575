"""FS-2, FS-4: secrets written down, keys and prompts in logs. The secrets are made up, and never told."""

from pathlib import Path

import pytest
from tests.unit.doctor.scenes import Machine, found, severities

KEY = "sk-proj-9fK2mQ8vXz4LtR7wPb3NcYd6HjA1sGe5"
OWN_KEY = "ik-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6kM9nP2r"


def told(check: str, machine: Machine) -> list[str]:
    findings = found(check, machine.scene())
    assert KEY not in f"{findings}"
    assert OWN_KEY not in f"{findings}"
    return [f"{Path(finding.subject).name}: {finding.found}" for finding in findings]


def test_a_secret_in_the_settings_is_told_by_line_and_kind(machine: Machine) -> None:
    machine.config.write_text(f'[offers.a]\nmodel = "m"\nheaders = {{ x = "{KEY}" }}\n')
    assert told("FS-2", machine) == ["isthmus.toml: It holds what looks like a secret: api_key in line 3."]


def test_references_hashes_and_plain_words_are_fine(machine: Machine) -> None:
    machine.config.write_text(
        '[offers.a]\nkey = "env:OPENAI_API_KEY"\n[offers.b]\nkey = "file:/run/secrets/openai-api-key-2026"\n'
        f'[keys.team]\nhash = "sha256:{"3f9a1c" * 10}abcd"\nworkload = "triage"\n'
    )
    assert told("FS-2", machine) == []


@pytest.mark.parametrize("name", ["compose.yaml", "docker-compose.override.yml"])
def test_a_secret_in_a_compose_file_is_told(machine: Machine, name: str) -> None:
    (machine.folder / name).write_text(f"services:\n  a:\n    environment:\n      OPENAI_API_KEY: {KEY}\n")
    assert told("FS-2", machine) == [f"{name}: It holds what looks like a secret: api_key in line 4."]


def test_a_compose_file_that_refers_is_fine(machine: Machine) -> None:
    (machine.folder / "compose.yaml").write_text(
        "services:\n  a:\n    environment:\n      OPENAI_API_KEY: ${OPENAI_API_KEY}\n      TOKEN: ${TOKEN:?not set}\n"
    )
    assert told("FS-2", machine) == []


def test_an_environment_file_is_for_secrets_and_fine_where_it_is_closed(machine: Machine) -> None:
    env = machine.folder / ".env"
    env.write_text(f"OPENAI_API_KEY={KEY}\n")
    env.chmod(0o600)
    assert told("FS-2", machine) == []


def test_an_environment_file_that_others_may_read_is_told_and_closed(shared_machine: Machine) -> None:
    env = shared_machine.folder / ".env"
    env.write_text(f"OPENAI_API_KEY={KEY}\n")
    env.chmod(0o644)
    (finding,) = found("FS-2", shared_machine.scene())
    assert finding.fix is not None
    finding.fix.apply()
    assert told("FS-2", shared_machine) == []


def test_an_environment_file_that_git_would_take_is_told(machine: Machine) -> None:
    (machine.folder / ".git").mkdir()
    env = machine.folder / "printenv.txt"
    env.write_text(f"OPENAI_API_KEY={KEY}\n")
    env.chmod(0o600)
    assert severities("FS-2", machine.scene()) == ["warn"]
    (machine.folder / ".gitignore").write_text("# secrets\n/printenv*\n")
    assert told("FS-2", machine) == []


def test_an_example_of_an_environment_file_is_not_looked_at(machine: Machine) -> None:
    (machine.folder / ".git").mkdir()
    (machine.folder / ".env.example").write_text(f"OPENAI_API_KEY={KEY}\n")
    assert told("FS-2", machine) == []


@pytest.mark.parametrize(
    "line",
    [
        f'10.0.0.7 "POST /v1/messages" 200 x-api-key: {KEY}',
        f'{{"headers": {{"Authorization": "Bearer {OWN_KEY}"}}}}',
        f"refused key {OWN_KEY}",
    ],
)
def test_a_log_with_keys_of_headers_is_told(machine: Machine, line: str) -> None:
    (machine.folder / "access.log").write_text(f"started\n{line}\n")
    assert told("FS-4", machine) == ["access.log: 1 of its last lines hold keys that were sent in a header."]


def test_a_log_without_is_fine(machine: Machine) -> None:
    (machine.folder / "access.log").write_text('GET /v1/models 401 "This endpoint needs a key."\nauthorization: none\n')
    (machine.state / "isthmus.log").write_text("request=req_1 offer=gpt tokens=12\n")
    assert told("FS-4", machine) == []


def test_engines_told_to_log_prompts_are_told(machine: Machine) -> None:
    machine.process(6, "python3", "python3", "/venv/bin/vllm", "serve", "qwen", "--enable-log-requests")
    assert severities("FS-4", machine.scene(environ={"OLLAMA_DEBUG": "1"})) == ["warn", "warn"]


def test_engines_not_told_to_are_fine(machine: Machine) -> None:
    machine.process(6, "python3", "python3", "/venv/bin/vllm", "serve", "qwen")
    assert found("FS-4", machine.scene(environ={"OLLAMA_DEBUG": "0"})) == []
