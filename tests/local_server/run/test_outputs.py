"""Files of outputs: one for each, below the folder."""

from __future__ import annotations

import pytest
from cloudserve.local_server.run.outputs import check_absent, output_paths

from cloudserve.errors import UserError


def test_a_slash_in_a_name_does_not_leave_the_folder(tmp_path):
    (path,) = output_paths(["../y"], tmp_path)
    assert path.parent == tmp_path


def test_two_outputs_of_one_file_are_refused(tmp_path):
    paths = output_paths(["a/y", "a_y"], tmp_path)
    with pytest.raises(UserError, match="two outputs would have the same file"):
        check_absent(paths, overwrite=True)
