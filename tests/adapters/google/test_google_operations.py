"""Operations that outlive their wait: the error names the one that continues."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.google.ai_platform.api import MlClient
from cloudserve.adapters.google.ai_platform.executor import Performer
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi
from cloudserve.adapters.google.vertex.operations import Operations
from cloudserve.adapters.polling import Poller

from cloudserve.errors import RemoteError, UnreachableError
from cloudserve.release.types import Action, Revision
from cloudserve.storage.events import Reporter
from tests.adapters.google.owned import AI_PLATFORM

ONE = Revision(1, "0f3c5a9b7d21" + "e" * 52)
VERTEX = "projects/p/locations/us-central1/endpoints/half/operations/7"
ML = "projects/p/operations/create_half_v1"
POLLER = Poller(5.0, first=0.001, longest=0.01)
ARGS = {
    "model": "half",
    "revision": ONE.id,
    "number": 1,
    "digest": ONE.digest,
    "source": "gs://b/half/1/",
    "settings": {},
    "labels": {},
}


@pytest.fixture
def silent(scripted):
    """Give a service that begins operations, and hangs up when it is asked for one."""

    def answer_to(request):
        if request.method == "POST":
            return 200, {"Content-Type": "application/json"}, json.dumps({"name": ML}).encode()
        return None

    return scripted(answer_to).url


@pytest.fixture(params=["vertex", "ai-platform"])
def wait(request, silent, clouds):
    """Give what waits for an operation, and the operation's name."""
    if request.param == "vertex":
        api = VertexApi("p", "us-central1", silent, Access(clouds), retries=0)
        operations = Operations(api, POLLER)
        return VERTEX, lambda reporter: operations.finish({"name": VERTEX}, "deploy", "", reporter)
    performer = Performer(MlClient("p", silent, Access(clouds), retries=0), POLLER, AI_PLATFORM)
    action = Action("create-version", "create", ARGS)
    return ML, lambda reporter: performer.perform(action, reporter)


def test_ctrl_c_says_which_operation_continues(wait):
    name, perform = wait

    def interrupt(line):
        if "asking again" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        perform(Reporter(interrupt))
    assert error.value.__notes__ == [f"the operation continues in the cloud: {name}"]


def test_a_broken_network_leaves_the_operation_running(wait, lines):
    name, perform = wait
    with pytest.raises(UnreachableError) as error:
        perform(Reporter(lines.append))
    assert error.value.__notes__ == [f"the operation continues in the cloud: {name}"]


def test_a_version_that_failed_is_reported_with_its_operation_and_its_log(scripted, clouds, lines):
    failed = {"name": ML, "done": True, "error": {"code": 3, "message": "Bad model detected"}}
    content = json.dumps(failed).encode()
    url = scripted(lambda request: (200, {"Content-Type": "application/json"}, content)).url
    performer = Performer(MlClient("p", url, Access(clouds)), POLLER, AI_PLATFORM)
    with pytest.raises(RemoteError, match="Bad model detected") as error:
        performer.perform(Action("create-version", "create", ARGS), Reporter(lines.append))
    assert error.value.request_id == ML
    assert error.value.hint == (
        "correct the cause and deploy again: what failed is replaced; its log: "
        "https://console.cloud.google.com/logs/query;query=resource.type%3D%22cloudml_model_version"
        "%22%0Aresource.labels.model_id%3D%22half%22%0Aresource.labels.version_id%3D%22v1_"
        "0f3c5a9b7d21%22?project=p"
    )
