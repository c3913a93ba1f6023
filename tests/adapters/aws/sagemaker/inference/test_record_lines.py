"""JSON lines that AWS's container joins to a request."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.aws.sagemaker.inference.record_lines import check_lines
from cloudserve.local_server.container.nginx.conversion import to_tfserving
from cloudserve.local_server.container.release import Release

from cloudserve.errors import UserError

JOINED = ["1.0\n", "[1.0]\n[2.0]\n", '{"x": 1.0}\n\n{"x": 2.0}', "[1]\n{}\n", ""]
NOT_JOINED = ["1.0\n2.0\n", "\n1.0\n\n2.0", '"a"\n"b"\n', "[1.0]\n2.0\n", "é\n" * 60]


@pytest.mark.parametrize("text", JOINED)
def test_lines_of_objects_and_lists_pass_and_so_does_a_single_line(tmp_path, text):
    (tmp_path / "in.jsonl").write_text(text)
    check_lines([tmp_path / "in.jsonl"])


@pytest.mark.parametrize("text", NOT_JOINED)
def test_other_lines_are_refused_with_the_first(tmp_path, text):
    (tmp_path / "in.jsonl").write_text(text, "utf-8")
    with pytest.raises(UserError) as error:
        check_lines([tmp_path / "in.jsonl"])
    assert error.value.where == f"{tmp_path}/in.jsonl: {text.split()[0]}"


@pytest.mark.parametrize("text", NOT_JOINED)
def test_the_container_of_the_offline_clouds_makes_no_json_of_them(text):
    body = to_tfserving(Release.V2_20, "application/jsonlines", text.encode())
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
