"""The clients of the npm registry: each is pinned, and what was installed can be told from what is wanted."""

import json
from pathlib import Path

from conformance.npm.agents import AGENTS, FOREIGN
from conformance.npm.ai_sdk import CLIENTS
from conformance.npm.installation import PACKAGES, Installation
from conformance.npm.outside import destination
from conformance.npm.stage import VENDOR_OF
from conformance.npm.vendors import VENDORS

WANTED = json.loads((PACKAGES / "package.json").read_text())["dependencies"]
LOCKED = json.loads((PACKAGES / "package-lock.json").read_text())["packages"]


def test_every_client_is_installed_at_the_version_that_is_wanted() -> None:
    assert {name: LOCKED[f"node_modules/{name}"]["version"] for name in WANTED} == WANTED
    assert {*CLIENTS.values(), *(agent.package for agent in AGENTS)} <= WANTED.keys()


def test_every_package_is_held_to_its_content() -> None:
    assert [name for name, told in LOCKED.items() if name and "integrity" not in told] == []


def test_an_agent_is_served_by_offers_that_there_are() -> None:
    offers = {offer for agent in AGENTS for offer in FOREIGN[agent.dialect]}
    assert {VENDOR_OF[offer] for offer in offers} == VENDORS.keys()


def test_a_folder_is_ready_only_for_the_lock_file_it_was_made_with(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    assert not installation.ready()
    (tmp_path / ".ready").write_text("of another lock file")
    assert not installation.ready()


def test_a_look_up_of_a_name_is_told_by_the_name() -> None:
    ethernet = bytes(12) + b"\x08\x00"
    ip = bytes([0x45]) + bytes(8) + bytes([17]) + bytes(6) + bytes([192, 0, 2, 1])
    udp = (5353).to_bytes(2, "big") + (53).to_bytes(2, "big") + bytes(4)
    query = bytes(12) + b"\x07example\x04test\x00" + bytes(4)
    assert destination(ethernet + ip + udp + query) == "example.test, a look-up"
