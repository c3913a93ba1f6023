"""The memory of the machine or container."""

import os

import pytest
from cloudserve.local_server.transport import machine_memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("limit", "memory"),
    [("1048576\n", 1048576), ("max\n", MACHINE), (f"{2**63}\n", MACHINE), (None, MACHINE)],
)
def test_a_container_has_no_more_than_its_cgroup_allows(monkeypatch, tmp_path, limit, memory):
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(limit)
    monkeypatch.setattr(machine_memory, "_CONTAINER_LIMITS", (file,))
    assert machine_memory.machine_memory.__wrapped__() == memory
