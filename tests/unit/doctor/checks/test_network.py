"""NET-1, NET-2, NET-3, NET-6, NET-7: what answers whom. 127.0.0.2 stands for an address that other machines reach."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.unit.doctor import engine_servers as engines
from tests.unit.doctor.engine_servers import Script, serving
from tests.unit.doctor.scenes import Machine, found, offer, severities

from isthmus.doctor.engines import EngineName
from isthmus.doctor.exposure import survey, targets
from isthmus.doctor.scene import Scene
from isthmus.domain.offer import SecretRef

OUTSIDE = "127.0.0.2"


@contextmanager
def answering(machine: Machine, script: Script, usual: EngineName = "ollama", *, outside: bool) -> Iterator[Scene]:
    """A scene in which a server answers, to this machine alone or beyond it."""
    with serving(script, OUTSIDE if outside else "127.0.0.1") as served:
        yield machine.scene(ports={usual: served.port}, interfaces=(OUTSIDE,))


OPEN = [
    (engines.OLLAMA_ON_ALL_ADDRESSES, "Ollama"),
    (engines.VLLM, "vLLM"),
    (engines.LLAMA_CPP, "llama.cpp's server"),
    (engines.SGLANG, "SGLang"),
    (engines.LM_STUDIO, "LM Studio"),
    (engines.OPENCLAW_OPEN, "OpenClaw's gateway"),
    (engines.ISTHMUS, "isthmus"),
]


@pytest.mark.parametrize(("script", "title"), OPEN)
def test_what_answers_other_machines_without_a_key_is_critical(machine: Machine, script: Script, title: str) -> None:
    with answering(machine, script, outside=True) as scene:
        (finding,) = found("NET-1", scene)
        assert finding.subject.startswith(f"{title} at {OUTSIDE}:")
        assert severities("NET-1", scene) == ["critical"]


@pytest.mark.parametrize(("script", "title"), OPEN)
def test_what_answers_this_machine_alone_is_not(machine: Machine, script: Script, title: str) -> None:
    with answering(machine, script, outside=False) as scene:
        assert [answer.title for answer in survey(scene)] == [title]
        assert found("NET-1", scene) == []


@pytest.mark.parametrize("script", [engines.VLLM_WITH_KEY, engines.LLAMA_CPP_WITH_KEY, engines.ISTHMUS_WITH_KEY])
def test_what_asks_for_a_key_is_not_open(machine: Machine, script: Script) -> None:
    with answering(machine, script, outside=True) as scene:
        assert found("NET-1", scene) == []


def test_an_address_that_the_operator_listed_is_beyond_this_machine(machine: Machine) -> None:
    with serving(engines.OLLAMA_ON_ALL_ADDRESSES, OUTSIDE) as served:
        scene = machine.scene(ports={"ollama": served.port}, addresses=("127.0.0.1", OUTSIDE), interfaces=(OUTSIDE,))
        assert len(found("NET-1", scene)) == 1


def test_isthmus_is_asked_where_the_settings_say_it_listens(machine: Machine) -> None:
    with serving(engines.ISTHMUS) as served:
        scene = machine.scene(settings=machine.settings(port=served.port))
        assert [answer.engine for answer in survey(scene)] == ["isthmus"]


def test_an_engine_on_an_unusual_port_is_found_by_its_process(machine: Machine) -> None:
    with serving(engines.OLLAMA_ON_ALL_ADDRESSES, OUTSIDE) as served:
        machine.process(7, "ollama", "/usr/bin/ollama", "serve", listens=[("0.0.0.0", served.port)])
        (finding,) = found("NET-1", machine.scene(interfaces=(OUTSIDE,)))
    assert str(served.port) in finding.subject


def test_only_what_listens_is_asked_at_own_addresses_and_nothing_but_what_was_named(machine: Machine) -> None:
    machine.process(7, "vim", listens=[("127.0.0.1", 11434), ("0.0.0.0", 8265), ("0.0.0.0", 22)])
    scene = machine.scene(ports={"ollama": 11434, "ray": 8265}, interfaces=(OUTSIDE,))
    assert {(target.host, target.port) for target in targets(scene)} == {
        ("127.0.0.1", 11434),
        ("127.0.0.1", 8265),
        (OUTSIDE, 8265),
    }


def test_all_checks_share_what_was_asked_once(machine: Machine) -> None:
    with serving(engines.OLLAMA) as served:
        scene = machine.scene(ports={"ollama": served.port})
        for check in ("NET-1", "NET-2", "NET-6", "NET-7"):
            found(check, scene)
        first = len(served.asked)
        found("NET-1", scene)
    assert len(served.asked) == first


def test_paths_beside_the_door_are_told_and_those_that_work_are_critical(machine: Machine) -> None:
    with answering(machine, engines.VLLM_WITH_KEY, outside=True) as scene:
        (finding,) = found("NET-2", scene)
        assert "/invocations" in finding.found
        assert severities("NET-2", scene) == ["critical"]
    with answering(machine, engines.OLDER_LLAMA_CPP_WITH_KEY, outside=True) as scene:
        assert severities("NET-2", scene) == ["warn"]


@pytest.mark.parametrize(
    "script", [engines.VLLM, engines.LLAMA_CPP_WITH_KEY, engines.RAY_WITH_TOKEN, engines.ISTHMUS_WITH_KEY]
)
def test_nothing_beside_the_door_is_nothing_to_tell(machine: Machine, script: Script) -> None:
    with answering(machine, script, outside=True) as scene:
        assert found("NET-2", scene) == []


def test_beside_the_door_at_loopback_is_nothing_to_tell(machine: Machine) -> None:
    with answering(machine, engines.VLLM_WITH_KEY, outside=False) as scene:
        assert found("NET-2", scene) == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (engines.OLLAMA_FOR_ALL_ORIGINS, "any web page may read"),
        (engines.LLAMA_CPP, "any web page may read"),
        (engines.VLLM, "any web page may read"),
        (engines.RAY, "DNS rebinding"),
    ],
)
def test_engines_that_web_pages_may_use_are_told_also_at_loopback(machine: Machine, script: Script, words: str) -> None:
    with answering(machine, script, outside=False) as scene:
        (finding,) = found("NET-6", scene)
        assert words in finding.found


@pytest.mark.parametrize(
    "script", [engines.OLLAMA, engines.LLAMA_CPP_WITH_KEY, engines.DEVTOOLS, engines.RAY_WITH_TOKEN]
)
def test_engines_that_look_at_origin_and_host_or_want_a_key_are_not(machine: Machine, script: Script) -> None:
    with answering(machine, script, outside=False) as scene:
        assert len(survey(scene)) == 1
        assert found("NET-6", scene) == []


def test_ollama_told_to_let_every_page_in_is_told_before_it_runs(machine: Machine) -> None:
    assert len(found("NET-6", machine.scene(environ={"OLLAMA_ORIGINS": "https://a.example, *"}))) == 1
    assert found("NET-6", machine.scene(environ={"OLLAMA_ORIGINS": "https://*.example"})) == []


@pytest.mark.parametrize(("script", "usual"), [(engines.RAY, "ray"), (engines.DEVTOOLS, "cdp")])
def test_control_ports_are_critical_beyond_this_machine_and_a_warning_on_it(
    machine: Machine, script: Script, usual: EngineName
) -> None:
    with answering(machine, script, usual, outside=True) as scene:
        assert severities("NET-7", scene) == ["critical"]
        assert found("NET-1", scene) == []  # told once
    with answering(machine, script, usual, outside=False) as scene:
        assert severities("NET-7", scene) == ["warn"]


def test_a_dashboard_that_asks_for_a_token_and_an_engine_are_no_control_ports(machine: Machine) -> None:
    for script in (engines.RAY_WITH_TOKEN, engines.OLLAMA):
        with answering(machine, script, "ray", outside=True) as scene:
            assert found("NET-7", scene) == []


def test_ports_between_nodes_that_listen_everywhere_are_told_without_being_asked(machine: Machine) -> None:
    machine.process(7, "VLLM::EngineCor", listens=[("0.0.0.0", 14579), ("127.0.0.1", 29500)])
    (finding,) = found("NET-7", machine.scene())
    assert finding.subject == "ports of vLLM: 14579"


def test_ports_between_nodes_at_loopback_are_not(machine: Machine) -> None:
    machine.process(7, "VLLM::EngineCor", listens=[("127.0.0.1", 14579)])
    machine.process(8, "sshd", listens=[("0.0.0.0", 22)])
    assert found("NET-7", machine.scene()) == []


def test_what_goes_over_the_network_unencrypted_is_told(machine: Machine) -> None:
    offers = [
        offer("far", base_url="http://models.example.com/v1", key=SecretRef("env", "KEY")),
        offer("near", base_url="http://10.0.0.5:8000/v1"),
        offer("here", base_url="http://127.0.0.1:8000/v1"),
        offer("safe"),
        offer("inside", base_url=""),
    ]
    scene = machine.scene(settings=machine.settings(*offers))
    assert [(one.subject, one.severity) for one in found("NET-3", scene)] == [
        ("offer far", None),
        ("offer near", "warn"),
    ]
    assert "and the key" in found("NET-3", scene)[0].found


def test_isthmus_on_the_network_without_tls_is_told(machine: Machine) -> None:
    assert len(found("NET-3", machine.scene(settings=machine.settings(bind="0.0.0.0")))) == 1
    assert found("NET-3", machine.scene(settings=machine.settings(bind="::1"))) == []


def test_a_key_that_goes_to_an_engine_unencrypted_is_told(machine: Machine) -> None:
    with answering(machine, engines.VLLM_WITH_KEY, outside=True) as scene:
        assert len(found("NET-3", scene)) == 1
    with answering(machine, engines.VLLM_WITH_KEY, outside=False) as scene:
        assert found("NET-3", scene) == []
