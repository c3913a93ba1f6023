"""The tree that a container serves: a model tree, or one built from a model's directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cloudserve.local_server.container.discovery import find
from cloudserve.local_server.container.server import container_tree

from cloudserve.errors import UserError


def add_version(base: Path, number: int, code: str = "") -> Path:
    version = base / str(number)
    (version / "variables").mkdir(parents=True)
    (version / "saved_model.pb").touch()
    if code:
        (version / "code").mkdir()
        (version / "code" / "inference.py").write_text(code)
    return version


@pytest.fixture
def half(tmp_path) -> Path:
    """Provide a model's directory: versions 9 and 10, each with code that tells which."""
    for number in (9, 10):
        add_version(tmp_path / "models" / "half", number, code=str(number))
    return tmp_path / "models" / "half"


def served(path: Path, scratch: Path) -> tuple[list[tuple[str, int]], str]:
    """Return the models and versions of the tree that is made, and its code."""
    tree = container_tree(path, scratch)
    script = tree / "code" / "inference.py"
    bundles = [(bundle.model, bundle.version) for bundle in find(tree)]
    return bundles, script.read_text() if script.is_file() else ""


def test_the_highest_versions_code_counts(half, tmp_path):
    expected = [("half", 9), ("half", 10)], "10"
    assert served(half, tmp_path / "a") == expected
    assert served(half.parent, tmp_path / "b") == expected


def test_a_version_alone_has_its_own_code(half, tmp_path):
    assert served(half / "9", tmp_path / "a") == ([("half", 9)], "9")
    named = half.rename(half.with_name("whole")) / "10"
    assert served(named.rename(named.with_name("m")), tmp_path / "b") == ([("m", 1)], "10")


def test_a_highest_version_without_code_has_none(half, tmp_path):
    shutil.rmtree(half / "10" / "code")
    assert container_tree(half, tmp_path / "a") == half


def test_code_at_the_root_takes_precedence(half, tmp_path):
    (half / "code").mkdir()
    assert container_tree(half, tmp_path / "a") == half


def test_a_model_tree_without_code_is_served_as_it_is(tmp_path):
    add_version(tmp_path / "tree" / "deep" / "m", 1)
    assert container_tree(tmp_path / "tree", tmp_path / "a") == tmp_path / "tree"


def test_a_linked_tree_is_complete_and_leaves_the_model_unchanged(half, tmp_path):
    before = sorted(half.rglob("*"))
    tree = container_tree(half, tmp_path / "a")
    names = {path.relative_to(tree).as_posix() for path in tree.rglob("*")}
    assert names >= {"half/10/saved_model.pb", "half/10/variables", "half/9/saved_model.pb"}
    assert "half/10/code" not in names
    assert sorted(half.rglob("*")) == before


def test_several_models_with_code_are_refused(half, tmp_path):
    shutil.copytree(half, half.with_name("other"))
    with pytest.raises(UserError, match="half and other each have a code/, and a container runs"):
        container_tree(half.parent, tmp_path / "a")
