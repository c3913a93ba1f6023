"""The stored form of an operation's task: data folders of other versions have it."""

import msgspec
import pytest
from cloudserve.local_server.clouds.vertex.deployment.tasks import Deploy, Mutate, Undeploy
from cloudserve.local_server.clouds.vertex.operations import _Operation
from cloudserve.local_server.clouds.vertex.uploads import _Copy, _Upload

VERSION = {"name": "m", "is_version": True, "artifact": "1", "model": {"displayName": "d"}}


@pytest.mark.parametrize(
    ("kind", "task", "fields"),
    [
        ("upload", _Upload, VERSION),
        ("copy", _Copy, {**VERSION, "from": None}),
        ("deploy", Deploy, {"endpoint": "e", "deployedModel": {}, "trafficSplit": {"0": 100}}),
        ("undeploy", Undeploy, {"endpoint": "e", "id": "1", "trafficSplit": {}}),
        ("mutate", Mutate, {"endpoint": "e", "deployedModel": {}, "paths": ["labels"]}),
    ],
)
def test_a_task_is_stored_and_read_as_before(kind, task, fields):
    stored = {"name": "o", "metadata": {}, "_task": {**fields, "kind": kind, "turn": "e"}}
    operation = msgspec.convert(stored, _Operation)
    assert msgspec.to_builtins(operation) == stored
    read = msgspec.convert(operation.task, task)
    assert {**msgspec.to_builtins(read), "turn": "e"} == stored["_task"]
    assert operation.shown() == {"name": "o", "metadata": {}}
