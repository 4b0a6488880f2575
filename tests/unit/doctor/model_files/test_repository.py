import json
from pathlib import Path

import pytest

from isthmus.doctor.modelfiles.repository import config_templates, python_files, read_folder, remote_code


def test_links_out_of_the_folder_and_links_to_nowhere_are_told(tmp_path: Path) -> None:
    root = tmp_path / "model"
    root.mkdir()
    (tmp_path / "secret").write_text("x")
    (root / "config.json").write_text("{}")
    (root / "inside.json").symlink_to("config.json")
    (root / "outside").symlink_to("../secret")
    (root / "nowhere").symlink_to("gone")
    (root / "folder").symlink_to("..")
    (root / "loop").symlink_to("loop")
    found = read_folder(root)
    assert [path.name for path in found.files] == ["config.json", "inside.json"]
    assert [path.name for path in found.leaving] == ["folder", "loop", "nowhere", "outside"]


def test_the_cache_of_the_hub_keeps_its_files_beside_the_snapshots(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "123").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/123")
    assert [path.name for path in read_folder(snapshot).files] == ["config.json"]


def test_code_that_a_configuration_names_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"vision_config": {"auto_map": {"AutoModel": ["other/repo--modeling_x.X", None]}}}))
    assert remote_code(config) == ("other/repo--modeling_x.X",)
    config.write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    assert remote_code(config) == ()
    modules = tmp_path / "modules.json"
    modules.write_text(json.dumps([{"type": "sentence_transformers.models.Pooling"}, {"type": "custom_st.Own"}]))
    assert remote_code(modules) == ("custom_st.Own",)


def test_programmes_that_came_along_are_found(tmp_path: Path) -> None:
    (tmp_path / "modeling_x.py").write_text("")
    (tmp_path / "README.md").write_text("")
    assert [path.name for path in python_files(read_folder(tmp_path))] == ["modeling_x.py"]


BAD = "{{ x.__class__ }}"


@pytest.mark.parametrize("value", [BAD, [{"name": "default", "template": BAD}], {"default": BAD}])
def test_templates_in_configurations_are_looked_at_in_all_their_forms(tmp_path: Path, value: object) -> None:
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"chat_template": value}))
    assert [fault.code for fault in config_templates(config)] == ["template-access"]


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"[1, 2]", b'{"chat_template": 7}'])
def test_a_configuration_that_is_none_is_no_failure(tmp_path: Path, content: bytes) -> None:
    config = tmp_path / "tokenizer_config.json"
    config.write_bytes(content)
    assert remote_code(config) == ()
    assert {fault.code for fault in config_templates(config)} <= {"malformed"}
