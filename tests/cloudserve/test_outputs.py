"""Which files a command's result replaces."""

import os
import re
from pathlib import Path

import pytest

from cloudserve import outputs
from cloudserve.errors import ConflictError, UserError
from cloudserve.output_folder import output_folder
from cloudserve.outputs import check_output, check_outside_models

OURS = {
    "GOLDEN": (b'{"golden":1,"source":"models/half"}\n{"request":{}}\n',),
    "PLAN": (b'{\n  "plan": {\n    "operation": "deploy"', b'{"plan":{}}'),
    "REPORT": (
        b'{\n  "operation": "deploy",\n',
        b"# deploy half v1-0f3c5a9b7d21 on prod (10 %)\n\n**passed**",
        b"<?xml version='1.0' encoding='utf-8'?>\n<testsuites>\n",
    ),
    "PAGE": (b'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport"',),
}
FOREIGN = (
    b"# The project file of cloudserve.\nmodels: {}\n",
    b'{"instances": [[1.0]]}\n',
    b"golden: 1\n",
    b"<?xml version='1.0'?><project/>",
    b"<!doctype html><title>mine</title>",
    b"\x08\x01\x12\x00",
    b"# deploy notes\n",
)


@pytest.mark.parametrize("kind", OURS)
def test_an_earlier_result_an_empty_file_and_no_file_are_replaced(tmp_path, kind):
    path = tmp_path / "result"
    pattern = getattr(outputs, kind)
    check_output(path, pattern, "a result")
    for content in (b"", *OURS[kind]):
        path.write_bytes(content)
        check_output(path, pattern, "a result")


def test_a_missing_folder_is_found_before_the_work(tmp_path):
    path = tmp_path / "my plans" / "plan.json"
    with pytest.raises(UserError, match="a plan cannot be written: there is no folder") as caught:
        check_output(path, outputs.PLAN, "a plan")
    assert caught.value.hint == f"mkdir -p '{path.parent}'"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
def test_folders_pipes_and_devices_are_not_replaced(tmp_path, make):
    path = tmp_path / "stdout"
    make(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    for place in (path, link):
        with pytest.raises(UserError, match=r"a report cannot be written: .* is not a file"):
            check_output(place, outputs.REPORT, "a report")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_others_is_found_before_the_work(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="a plan cannot be written: Permission denied"):
        check_output(tmp_path / "plan.json", outputs.PLAN, "a plan")


@pytest.mark.parametrize("content", FOREIGN)
@pytest.mark.parametrize("kind", OURS)
def test_any_other_file_stays(tmp_path, kind, content):
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(ConflictError, match="notes exists and is not a result") as caught:
        check_output(path, getattr(outputs, kind), "a result")
    assert caught.value.hint == "name another file, or remove this one first"


@pytest.mark.parametrize("place", ["out", "assets/out", "assets.extra/deeper/out"])
def test_no_result_becomes_a_file_of_a_model(tmp_path, place):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    with pytest.raises(ConflictError, match="would be part of the model 1, whose digest"):
        check_output(tmp_path / "1" / place, re.compile(b""), "a result")
    check_output(tmp_path / "out", re.compile(b""), "a result")


def test_a_new_folder_may_be_beside_a_model_and_not_in_it(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    check_outside_models(tmp_path / "2", "the copy")
    with pytest.raises(ConflictError, match="the copy would be part of the model 1"):
        check_outside_models(tmp_path / "1" / "variables" / "2", "the copy")


def test_a_link_is_checked_by_its_target(tmp_path):
    (tmp_path / "notes").write_bytes(b"mine")
    (tmp_path / "out").symlink_to(tmp_path / "notes")
    with pytest.raises(ConflictError, match="out exists"):
        check_output(tmp_path / "out", outputs.GOLDEN, "a golden file")


def test_a_folder_appears_as_a_whole_or_not_at_all(tmp_path):
    with output_folder(tmp_path / "deep" / "out", "the result") as draft:
        (draft / "a").touch()
        assert not (tmp_path / "deep" / "out").exists()
    assert [file.name for file in (tmp_path / "deep" / "out").iterdir()] == ["a"]
    with pytest.raises(ZeroDivisionError), output_folder(tmp_path / "other", "the result"):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_a_folder_replaces_no_files(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with (
        pytest.raises(ConflictError, match="the folder exists and is not empty"),
        output_folder(tmp_path / "out", "the result") as draft,
    ):
        (draft / "a").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]


def test_a_folder_is_not_made_in_a_model(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with (
        pytest.raises(ConflictError, match="the result would be part of the model"),
        output_folder(tmp_path / "out", "the result"),
    ):
        pytest.fail("the folder is filled")
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model.pb"]
