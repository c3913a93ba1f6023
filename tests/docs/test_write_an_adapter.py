"""The adapter of the how-to page has the methods of the contract, with their parameters."""

import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from cloudserve.project import Target
from cloudserve.release.provider import Provider
from cloudserve.release.types import Location, Reading, Revision, State
from cloudserve.storage.events import SILENT

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-an-adapter.md"
METHODS = sorted(name for name in vars(Provider) if not name.startswith("_"))
REVISION = Revision(1, "ab" * 32)


@dataclass(frozen=True, slots=True)
class Options:
    bucket: str
    url: str = "https://my-cloud.test"


class Client:
    """A platform with one version, which remembers what it was called with."""

    account = "account 1"

    def __init__(self, url):
        self.url = url
        self.calls = []
        self.versions = []

    def endpoint(self, model):
        return SimpleNamespace(versions=self.versions) if self.versions else None

    def create(self, model, number, digest, source):
        labels = {"number": str(number), "digest": digest}
        version = SimpleNamespace(labels=labels, state="ready", source=source, share=0.0)
        self.versions.append(version)
        return SimpleNamespace(name="operation-1", wait=lambda: "")

    def switch(self, model, revision):
        for version in self.versions:
            version.share = 1.0


@pytest.fixture(scope="module")
def page():
    package, options = ModuleType("my_package"), ModuleType("my_package.options")
    package.platform = SimpleNamespace(Client=Client, LARGEST=10**9)
    options.Options = Options
    code = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    namespace = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "my_package", package)
        patch.setitem(sys.modules, "my_package.options", options)
        exec(compile(code, str(PAGE), "exec"), namespace)
    return SimpleNamespace(**namespace)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_the_parameters_of_the_contract(page, method):
    ours, contract = getattr(page.MyCloud, method), getattr(Provider, method)
    if not isinstance(contract, property):
        assert inspect.signature(ours) == inspect.signature(contract, eval_str=True)


def test_a_deployment_is_planned_performed_and_read_again(page, tmp_path):
    target = Target("mine", "my-cloud", {"bucket": tmp_path.as_uri()})
    provider = page.create(target, {})
    location = Location(provider.blobs.url, "r/", "m", 1)
    reading = provider.read("m")
    assert isinstance(reading, Reading)
    assert reading.deployment.state is None
    actions = provider.plan_deploy(reading, REVISION, location)
    assert [action.kind for action in actions] == ["create", "switch"]
    for action in actions:
        provider.perform(action, SILENT)
    deployment = provider.read("m").deployment
    assert (deployment.live, deployment.state) == (REVISION.id, State.READY)
    assert deployment.revisions[0].revision == REVISION
    assert provider.plan_deploy(provider.read("m"), REVISION, location) == ()
    assert provider.plan_traffic(provider.read("m"), REVISION.id) == ()
    assert str(provider.destination()) == "my-cloud · https://my-cloud.test · account 1"
