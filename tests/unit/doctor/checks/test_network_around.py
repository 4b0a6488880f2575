"""NET-4, NET-5, NET-8, NET-9: containers, proxies, tunnels, OpenClaw's own audit."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.doctor.scenes import Machine, found, severities

from isthmus.doctor.checks.network_containers import Published, published
from isthmus.domain.errors import ConfigError
from isthmus.ledger.keys import KeyStore
from isthmus.ledger.store import Store


def compose(machine: Machine, ports: str, image: str = "ollama/ollama", name: str = "compose.yaml") -> None:
    (machine.folder / name).write_text(f"services:\n  engine:\n    image: {image}\n    ports: {ports}\n")


@pytest.mark.parametrize(
    ("ports", "image"),
    [
        ('["11434:11434"]', "ollama/ollama"),
        ('["0.0.0.0:9000:8000"]', "vllm/vllm-openai:v0.28.0"),
        ('["[::]:8080:8080/tcp"]', "ghcr.io/ggml-org/llama.cpp:server"),
        ("[{target: 8090, published: 80}]", "registry.example/isthmus"),
        ('["8265:8265"]', "something-else"),
        ("[11434]", "something-else"),
        ('["8260-8270:8260-8270"]', "something-else"),
    ],
)
def test_an_engine_that_is_published_at_every_address_is_told(machine: Machine, ports: str, image: str) -> None:
    compose(machine, ports, image)
    (finding,) = found("NET-4", machine.scene())
    assert finding.subject == f"service engine in {machine.folder / 'compose.yaml'}"


@pytest.mark.parametrize(
    ("ports", "image"),
    [
        ('["127.0.0.1:11434:11434"]', "ollama/ollama"),
        ('["[::1]:11434:11434"]', "ollama/ollama"),
        ("[{target: 11434, published: 11434, host_ip: 127.0.0.1}]", "ollama/ollama"),
        ('["443:443"]', "nginx"),
        ("[]", "ollama/ollama"),
        ('["5432:5432"]', "postgres"),
    ],
)
def test_what_is_published_at_loopback_or_is_no_engine_is_not(machine: Machine, ports: str, image: str) -> None:
    compose(machine, ports, image)
    assert found("NET-4", machine.scene()) == []


def test_a_file_that_is_not_compose_is_passed_over(machine: Machine) -> None:
    (machine.folder / "compose.yaml").write_text("services: [a, {b\n")
    (machine.folder / "docker-compose.yml").write_text("- a list\n")
    assert found("NET-4", machine.scene()) == []


def test_ports_are_read_in_both_forms() -> None:
    service = {"ports": ["80", "8000:80", "10.0.0.1:8000:80/tcp", {"target": 80, "published": "8000-8010"}]}
    assert list(published(service)) == [
        Published("", "", "80"),
        Published("", "8000", "80"),
        Published("10.0.0.1", "8000", "80"),
        Published("", "8000-8010", "80"),
    ]


def test_a_running_container_that_publishes_an_engine_is_told(machine: Machine) -> None:
    words = ("docker-proxy", "-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", "11434", "-container-port", "11434")
    machine.process(9, "docker-proxy", *words)
    assert [finding.subject for finding in found("NET-4", machine.scene())] == ["a running container, port 11434"]


def test_one_that_publishes_it_at_loopback_is_not(machine: Machine) -> None:
    words = ("-host-ip", "127.0.0.1", "-host-port", "11434", "-container-port", "11434")
    machine.process(9, "docker-proxy", "docker-proxy", *words)
    assert found("NET-4", machine.scene()) == []


def test_a_proxy_in_front_of_an_isthmus_without_keys_is_told(machine: Machine) -> None:
    machine.process(3, "nginx", listens=[("0.0.0.0", 443)])
    assert [finding.subject for finding in found("NET-5", machine.scene())] == ["nginx"]


def test_with_a_key_a_proxy_is_fine(machine: Machine) -> None:
    machine.process(3, "nginx", listens=[("0.0.0.0", 443)])
    KeyStore(Store(f"sqlite:///{machine.store}")).add("somebody")
    scene = machine.scene(today=datetime.now(UTC).date())
    assert found("NET-5", scene) == []


def test_a_proxy_for_this_machine_alone_is_fine(machine: Machine) -> None:
    machine.process(3, "nginx", listens=[("127.0.0.1", 443)])
    machine.process(4, "sshd", listens=[("0.0.0.0", 22)])
    assert found("NET-5", machine.scene()) == []


@pytest.mark.parametrize(
    "line",
    [
        "/usr/local/bin/cloudflared tunnel run",
        "ngrok http 8090",
        "./frpc -c frpc.toml",
        "tailscale funnel 8090",
        "ssh -N -R 8090:localhost:8090 host.example",
        "node /usr/lib/node_modules/.bin/lt --port 8090",
        "autossh -fNR 80:localhost:8090 host.example",
    ],
)
def test_a_tunnel_is_told_by_its_process(machine: Machine, line: str) -> None:
    words = line.split()
    machine.process(5, Path(words[0]).name, *words)
    (finding,) = found("NET-8", machine.scene())
    assert "process 5" in finding.subject


@pytest.mark.parametrize(
    "line",
    [
        "tailscale status",
        "ssh host.example",
        "sshd -D -R",
        "vim cloudflared.yml",
        "tail -f /var/log/ngrok",
        "ssh -L 1:a:2 R",
    ],
)
def test_other_processes_are_no_tunnels(machine: Machine, line: str) -> None:
    words = line.split()
    machine.process(5, words[0], *words)
    assert found("NET-8", machine.scene()) == []


def _openclaw(machine: Machine, prints: str) -> dict[str, str]:
    programme = machine.folder / "bin" / "openclaw"
    programme.parent.mkdir()
    programme.write_text(f"#!/bin/sh\n[ \"$*\" = 'security audit --json' ] || exit 9\ncat <<'END'\n{prints}\nEND\n")
    programme.chmod(0o755)
    return {"PATH": f"{programme.parent}:/usr/bin:/bin"}


AUDIT = {
    "ts": 1,
    "summary": {"critical": 1, "warn": 0, "info": 0},
    "findings": [
        {
            "checkId": "gateway.bind_no_auth",
            "severity": "critical",
            "title": "Gateway binds beyond loopback without auth",
            "detail": "gateway.bind is lan",
            "remediation": "Set gateway.auth",
        }
    ],
}


def test_openclaws_own_audit_is_told_where_it_is_asked_for(machine: Machine) -> None:
    environ = _openclaw(machine, json.dumps(AUDIT))
    scene = machine.scene(environ=environ, openclaw=True)
    (finding,) = found("NET-9", scene)
    assert finding.subject == "OpenClaw gateway.bind_no_auth"
    assert finding.remedy == "Set gateway.auth"
    assert severities("NET-9", scene) == ["critical"]
    assert found("NET-9", machine.scene(environ=environ)) == []


def test_an_audit_without_findings_is_fine_and_one_that_fails_is_not_taken_for_one(machine: Machine) -> None:
    environ = _openclaw(machine, json.dumps({"findings": []}))
    assert found("NET-9", machine.scene(environ=environ, openclaw=True)) == []
    (machine.folder / "bin" / "openclaw").write_text("#!/bin/sh\necho unknown command\nexit 2\n")
    with pytest.raises(ConfigError, match="gave no JSON"):
        found("NET-9", machine.scene(environ=environ, openclaw=True))
    with pytest.raises(ConfigError, match="not installed"):
        found("NET-9", machine.scene(environ={"PATH": str(machine.folder)}, openclaw=True))
