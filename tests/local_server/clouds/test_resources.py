from __future__ import annotations

import subprocess
import sys

import pytest
from cloudserve.local_server.clouds.resources import Resources
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def resources(tmp_path):
    opened = Resources(tmp_path / "clouds.db")
    yield opened
    opened.close()


def test_a_document_is_read_back(resources):
    resources.put("model", "a", {"n": [1, {"deep": None}], "é": "ü"})
    assert resources.get("model", "a") == {"n": [1, {"deep": None}], "é": "ü"}


def test_a_missing_document_is_none(resources):
    assert resources.get("model", "a") is None


def test_create_leaves_a_taken_name_alone(resources):
    assert resources.create("model", "a", {"n": 1})
    assert not resources.create("model", "a", {"n": 2})
    assert resources.get("model", "a") == {"n": 1}


def test_the_same_name_of_another_kind_is_another_resource(resources):
    resources.put("model", "a", {"n": 1})
    assert resources.create("version", "a", {"n": 2})


def test_replace_writes_only_over_what_was_expected(resources):
    resources.put("model", "a", {"n": 1})
    assert not resources.replace("model", "a", {"n": 0}, {"n": 2})
    assert resources.replace("model", "a", {"n": 1}, {"n": 2})
    assert resources.get("model", "a") == {"n": 2}


def test_delete_returns_whether_a_document_existed(resources):
    resources.put("model", "a", {})
    assert resources.delete("model", "a")
    assert not resources.delete("model", "a")


@given(names=st.sets(st.text("abc/%_", min_size=1)), prefix=st.text("abc/%_", max_size=3))
def test_list_gives_the_names_under_a_prefix_in_order(tmp_path_factory, names, prefix):
    resources = Resources(tmp_path_factory.mktemp("db") / "clouds.db")
    for name in names:
        resources.put("model", name, {"name": name})
    result = resources.list("model", prefix)
    resources.close()
    assert [n for n, _ in result] == sorted(n for n in names if n.startswith(prefix))
    assert all(document == {"name": name} for name, document in result)


def test_a_transaction_that_fails_changes_nothing(resources):
    resources.put("model", "a", {"n": 1})

    def fail_half_way():
        with resources.transaction():
            resources.put("model", "a", {"n": 2})
            resources.put("model", "b", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert resources.list("model") == [("a", {"n": 1})]


def test_documents_of_a_killed_process_are_kept(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path;"
        "from cloudserve.local_server.clouds.resources import Resources;"
        "r = Resources(Path(sys.argv[1])); r.put('model', 'a', {'n': 1});"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "clouds.db"
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -9
    resources = Resources(path)
    assert resources.get("model", "a") == {"n": 1}
    resources.close()
