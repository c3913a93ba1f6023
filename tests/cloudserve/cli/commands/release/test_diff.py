"""`cloudserve diff`: what two models answer, from their files alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cloudserve.cli.errors import run


@pytest.fixture
def versions(shared_models):
    """Give two versions of a real model that differ in the method of their signature."""
    return [str(shared_models / "sts_template_app" / number) for number in "12"]


def test_a_changed_method_is_compatible_for_some_requests(versions, capsys):
    assert run(["diff", *versions]) == 6
    title, columns, row, blank, heading, answered = capsys.readouterr().out.splitlines()
    assert title.endswith("sts_template_app/2: compatible for some requests, 1 difference")
    assert columns.split() == ["EFFECT", "SIGNATURE", "DIFFERENCE"]
    assert row.split("  ") == [
        "some requests",
        "serving_default",
        "method changes from tensorflow/serving/classify to tensorflow/serving/predict",
    ]
    assert (blank, heading) == ("", "ANSWERED AS BEFORE")
    assert answered == "signature serving_default: Predict requests"


def test_the_other_direction_is_compatible(versions, capsys):
    assert run(["diff", *reversed(versions)]) == 0
    assert "sts_template_app/1: compatible, 1 difference\n" in capsys.readouterr().out


def test_a_base_path_means_its_highest_version(shared_models, capsys):
    base = shared_models / "tfs_half_plus_two_2v"
    assert run(["diff", str(base / "124"), str(base), "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["new"]["place"] == str(base / "124")
    assert (document["verdict"], document["differences"]) == ("compatible", [])


def test_versions_of_the_project_are_compared_by_number(project, capsys):
    assert run(["diff", "half:123", "half"]) == 0
    assert capsys.readouterr().out == "half:123 -> half: compatible, no differences\n"


def test_a_new_version_is_compared_with_the_live_one(project, shared_models, capsys):
    assert run(["deploy", "half", "-t", "here", "--version", "123"]) == 0
    capsys.readouterr()
    counter = str(shared_models / "tfs_counter")
    assert run(["diff", "half@here", counter, "-o", "json"]) == 6
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "breaking"
    assert document["live"]["place"].startswith("mem://bucket/cloudserve/half/revisions/v123-")
    assert run(["diff", "half:123@here", "half:live@here"]) == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("haf", "error: `haf` is not a directory, and the project has no model `haf`\n"),
        ("half:7", "error: there is no version 7\n"),
        ("half:x", "error: `x` is not the number of a version directory\n"),
        ("half@there", "error: the project has no target `there`\n"),
        ("half@here", "error: nothing of half is live\n"),
        ("half:9@here", "error: version `9` is not in the bucket\n"),
    ],
)
def test_an_unknown_side_is_a_usage_error(project, capsys, name, message):
    assert run(["diff", "half", name]) == 2
    assert message in capsys.readouterr().err


def test_without_a_project_a_name_must_be_a_directory(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["diff", "one", "two"]) == 2
    assert "`one` is not a directory, and there is no project file" in capsys.readouterr().err


def test_a_directory_without_a_model_is_a_model_error(tmp_path, versions, capsys):
    assert run(["diff", versions[0], str(tmp_path)]) == 3
    assert "neither a SavedModel nor NUMBER/ directories" in capsys.readouterr().err


def test_no_heavy_library_is_imported(versions):
    code = (
        "import sys; from cloudserve.cli.errors import run; run(sys.argv[1:]); "
        "heavy = {'tensorflow', 'numpy', 'google.cloud.storage', 'boto3', 'googleapiclient'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "diff", *versions]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
