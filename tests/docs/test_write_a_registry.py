"""The registry and the endpoint of the how-to page on adapters, in use."""

from __future__ import annotations

import json
import re
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import cloudserve
from cloudserve import registry
from cloudserve.client.transports.address import parse_address
from cloudserve.errors import ModelError, ProjectError, RemoteError, UserError
from cloudserve.project import load_project
from cloudserve.storage.model_source import ModelSource

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-an-adapter.md"
_, _, REGISTRY, ENDPOINT = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


class Registry:
    """A registry with version 3 of one model, whose alias is `candidate`."""

    files: Path
    aliases: dict[str, int]

    def __init__(self, url):
        self.url = url

    def number(self, name, version):
        return self.aliases.get(version) if name == "half" else None

    def download(self, name, version, into):
        assert (name, version) == ("half", "3")
        shutil.copytree(self.files, into, dirs_exist_ok=True)

    def set_alias(self, name, alias, number):
        self.aliases[alias] = number


class Client:
    """A platform that answers by dividing by two and adding two."""

    account = "account 1"

    def __init__(self, url):
        self.url = url

    def ask(self, name, body, version, timeout):
        assert (self.url, name) == ("https://eu.my-cloud.test", "half")
        rows = json.loads(body)["instances"]
        return json.dumps({"predictions": [row / 2 + 2 for row in rows]}).encode(), "v1-abcdef"


@pytest.fixture(autouse=True)
def package(monkeypatch, shared_models):
    """Install the page's code as a package, beside the built-in entry points."""
    Registry.files = shared_models / "tfs_half_plus_two_cpu" / "123"
    Registry.aliases = {"3": 3, "candidate": 3}
    module = ModuleType("my_package")
    module.platform = SimpleNamespace(Registry=Registry, Client=Client)
    monkeypatch.setitem(sys.modules, "my_package", module)
    for name, code in (("registry", REGISTRY), ("endpoint", ENDPOINT)):
        inner = ModuleType(f"my_package.{name}")
        monkeypatch.setitem(sys.modules, inner.__name__, inner)
        exec(compile(code, str(PAGE), "exec"), vars(inner))
    own = {
        registry.REGISTRIES: EntryPoint(
            "ours", "my_package.registry:open_registry", registry.REGISTRIES
        ),
        registry.ENDPOINTS: EntryPoint(
            "my-cloud", "my_package.endpoint:open_endpoint", registry.ENDPOINTS
        ),
    }
    known = registry.entry_points

    def entry_points(group):
        return [*known(group=group), *([own[group]] if group in own else [])]

    monkeypatch.setattr(registry, "entry_points", entry_points)


def source(tmp_path, url):
    file = tmp_path / "cloudserve.yaml"
    file.write_text(f"models: {{half: {{path: '{url}'}}}}\ntargets: {{}}\n")
    environ = {"CLOUDSERVE_MODEL_CACHE": str(tmp_path / "cache")}
    return ModelSource(load_project(file, environ=environ).models["half"], environ)


@pytest.mark.parametrize("url", ["ours:/half/3", "ours:/half/candidate"])
def test_a_project_releases_a_version_of_the_registry(tmp_path, url):
    number, folder = source(tmp_path, url).resolve()
    assert number == 3
    expected = (Registry.files / "saved_model.pb").read_bytes()
    assert (folder / "saved_model.pb").read_bytes() == expected


def test_a_version_that_the_registry_does_not_have_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(UserError, match="the registry has no `ours:/half/9`") as caught:
        source(tmp_path, "ours:/half/9").resolve()
    assert caught.value.hint == "name a version: ours:/NAME/3"


def test_the_errors_of_a_download_are_those_of_the_contract(tmp_path, monkeypatch):
    ours = registry.model_registry("ours:/half/3", {})
    monkeypatch.setattr(Registry, "files", tmp_path / "nowhere")
    with pytest.raises(RemoteError, match="cannot be read"):
        ours.download("ours:/half/3", tmp_path / "a")
    monkeypatch.setattr(Registry, "files", tmp_path)
    with pytest.raises(ModelError, match="is not a SavedModel"):
        ours.download("ours:/half/3", tmp_path.with_name("empty"))


def test_an_alias_is_moved():
    ours = registry.model_registry("ours:/half/3", {})
    assert ours.aliased("ours:/half/3", "champion") is None
    ours.set_alias("ours:/half/3", "champion")
    assert ours.aliased("ours:/half/3", "champion") == 3


def test_a_client_asks_the_endpoint_by_its_name():
    with cloudserve.Client("my-cloud://eu/half") as client:
        answer = client.predict([1.0, 5.0])
    assert answer.array.tolist() == [2.5, 4.5]


def test_without_the_packages_the_names_mean_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    with pytest.raises(ProjectError, match="no installed package has a registry for `ours:/"):
        source(tmp_path, "ours:/half/3")
    with pytest.raises(UserError, match="is not the URL of a server"):
        parse_address("my-cloud://eu/half")
    with pytest.raises(ProjectError, match="neither a directory nor a folder of a bucket"):
        source(tmp_path, "ours://half/3")
