"""Checks of the machine: packages, the processor, ports."""

import os
import socket
from importlib.metadata import requires

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.doctor.machine import (
    EXTRAS,
    Requirement,
    _extra,
    _memory,
    _port,
    _processor,
    check_machine,
)
from cloudserve.doctor.result import Status

VERSIONS = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)


def test_this_machine_has_all_that_the_tests_need():
    results = {one.id: one for one in check_machine()}
    assert {f"extra {name}" for name in EXTRAS} < results.keys()
    assert all(results[f"extra {name}"].status is Status.OK for name in EXTRAS)
    assert results["python"].status is Status.OK


def test_a_system_need_not_tell_its_free_memory(monkeypatch):
    """macOS has no SC_AVPHYS_PAGES."""
    known, sysconf = dict(os.sysconf_names), os.sysconf
    known.pop("SC_AVPHYS_PAGES")
    monkeypatch.setattr(os, "sysconf_names", known)
    monkeypatch.setattr(os, "sysconf", lambda name: sysconf(known[name]))
    assert _memory().text.endswith(" GiB")
    monkeypatch.setattr("cloudserve.doctor.machine._LEAST_MEMORY", 2**60)
    assert _memory().text.endswith(" GiB")


def test_every_requirement_of_the_package_is_read():
    for text in requires("cloudserve"):
        requirement = Requirement(text)
        assert requirement.name.replace("-", "").replace("_", "").isalnum() or "[" in text
        assert all(bound[0] in "<>=" for bound in requirement.bounds.split(",") if bound)


@pytest.mark.parametrize(
    ("bounds", "found", "is_taken"),
    [
        (">=2.18.1,<2.22", "2.21.0", True),
        (">=2.18.1,<2.22", "2.22.0", False),
        (">=2.18.1,<2.22", "2.18.0", False),
        ("<2.22,>=2.18.1", "2.18.1", True),
        (">=2,<3", "2.0.0rc1", True),
        (">=1.5.0,<2", "1.5", True),
        ("<2.0", "2", False),
        ("", "1", True),
    ],
)
def test_versions_are_compared_with_the_bounds(bounds, found, is_taken):
    assert Requirement(f"name{bounds}").takes(found) is is_taken


@given(VERSIONS, VERSIONS)
def test_a_version_is_on_one_side_of_each_bound(found, bound):
    assert Requirement(f"a>={bound}").takes(found) != Requirement(f"a<{bound}").takes(found)


def test_a_missing_and_an_odd_package_are_named(monkeypatch):
    lines = ['no-such-package>=1; extra == "aws"', "click<1; extra == 'gcp'"]
    monkeypatch.setattr("cloudserve.doctor.machine.requires", lambda _: lines)
    missing, odd, fine = (_extra(name, "targets") for name in ("aws", "gcp", "client"))
    assert missing.text == "1 package missing: no-such-package"
    assert missing.hint == "pip install 'cloudserve[aws]', if you need targets"
    assert odd.text.startswith("click 8.")
    assert odd.text.endswith(" is not <1")
    assert [one.status for one in (missing, odd, fine)] == [
        Status.WARNING,
        Status.WARNING,
        Status.OK,
    ]


@pytest.mark.parametrize(
    ("text", "status", "found"),
    [
        ("flags\t\t: fpu sse avx2 fma\n", Status.OK, "with avx2 and fma"),
        ("model name : old\nflags : fpu sse fma\n", Status.WARNING, "without avx2"),
        ("Features : asimd\n", Status.OK, "core"),
    ],
)
def test_the_processors_instructions_are_read(tmp_path, text, status, found):
    (tmp_path / "cpuinfo").write_text(text)
    (result,) = _processor(tmp_path / "cpuinfo")
    assert result.status is status
    assert found in result.text


def test_a_port_in_use_is_a_warning():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = _port(port, "REST of `serve`")
    assert (result.status, f"{port} (REST of `serve`) is not free" in result.text) == (
        Status.WARNING,
        True,
    )
    assert _port(port, "REST of `serve`").status is Status.OK
