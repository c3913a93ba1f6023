"""The checks of a target: an adapter that fails ends its own checks, not the command."""

from __future__ import annotations

from types import SimpleNamespace

from cloudserve.doctor.result import Result, Status
from cloudserve.doctor.target import _of_adapter
from cloudserve.errors import RemoteError


def test_an_error_of_the_adapters_checks_is_a_failure_after_those_that_were_made():
    def diagnose(models):
        yield Result("quota", Status.OK, "enough")
        raise RemoteError("no answer", where="there", hint="check the network")

    quota, failed = _of_adapter(SimpleNamespace(diagnose=diagnose), ("half",))
    assert quota.status is Status.OK
    assert (failed.id, failed.status, failed.text) == (
        "platform",
        Status.FAILED,
        "no answer (there)",
    )
    assert failed.hint == "check the network"
