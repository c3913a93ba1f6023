"""A terminal whose processes can be killed."""

import pytest

from tests.cloudserve.release.killable import Terminal


@pytest.fixture
def terminal(tmp_path, shared_models, monkeypatch):
    return Terminal(tmp_path, shared_models / "tfs_half_plus_two_2v", monkeypatch)
