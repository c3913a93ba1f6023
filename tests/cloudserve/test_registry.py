"""The registry of adapters and servers: missing and broken ones are reported."""

import ast
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cloudserve import registry
from cloudserve.errors import MissingExtraError, ProjectError, UserError
from cloudserve.project import Target

ROOT = Path(__file__).resolve().parents[2]


def test_an_unknown_adapter_hints_at_the_closest():
    with pytest.raises(ProjectError, match="there is no adapter `sagemakr`") as caught:
        registry.provider(Target("t", "sagemakr", where="here"), {})
    assert (caught.value.where, caught.value.hint) == ("here", "did you mean `sagemaker`?")


DOORS = {
    registry.GROUP: lambda: registry.provider(Target("t", "mine"), {}),
    registry.STORAGE: lambda: registry.bucket("mine://bucket", {}),
    registry.MIGRATIONS: lambda: registry.migration(Target("t", "mine")),
}


@pytest.mark.parametrize("group", DOORS)
@pytest.mark.parametrize("value", ["no.such.module:create", "cloudserve.registry:no_such_name"])
def test_an_adapter_that_cannot_be_imported_is_named(monkeypatch, value, group):
    point = EntryPoint("mine", value, group)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    with pytest.raises(UserError, match="the adapter `mine` cannot be loaded: ") as caught:
        DOORS[group]()
    assert caught.value.where == value


class OldProvider:
    """A provider of the contract in which plans took a model and a Deployment."""

    blobs = destination = describe = check = plan_deploy = plan_traffic = perform = predict = None


class NotifyingProvider(OldProvider):
    """A provider of the contract in which progress was a function of lines."""

    read = None

    def perform(self, action, notify):
        raise NotImplementedError


def make_old(target, environ):
    return OldProvider()


def make_notifying(target, environ):
    return NotifyingProvider()


def make_half(target, environ):
    return object()


def refusal(monkeypatch, create):
    point = EntryPoint("mine", f"{__name__}:{create.__name__}", registry.GROUP)
    monkeypatch.setattr(registry, "adapters", lambda: {"mine": point})
    with pytest.raises(UserError) as caught:
        registry.provider(Target("t", "mine"), {})
    return caught.value


def test_an_adapter_of_the_contract_before_readings_is_refused_with_the_change(monkeypatch):
    error = refusal(monkeypatch, make_old)
    assert error.message == (
        "the adapter `mine` has no `read`: it was written for an older version of cloudserve"
    )
    assert error.where == f"{__name__}:make_old"
    assert "`describe(model)` has become `read(model) -> Reading`" in error.hint


def test_an_adapter_of_the_contract_before_reporters_is_refused_with_the_change(monkeypatch):
    error = refusal(monkeypatch, make_notifying)
    assert error.message == (
        "the adapter `mine` reports by `notify`: it was written for an older version of cloudserve"
    )
    assert "take a `reporter` instead of `notify`" in error.hint


def test_an_adapter_that_is_not_a_whole_provider_is_refused(monkeypatch):
    assert refusal(monkeypatch, make_half).message == (
        "the adapter `mine` has no `blobs`, `destination`, `read`, `check`, `plan_deploy`, "
        "`plan_traffic`, `perform`, `predict`: it is not a whole Provider"
    )


def entry_without(module):
    @registry.needs_extra("the model server", "server")
    def entry():
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    return entry


@pytest.mark.parametrize("missing", ["httptools.parser", *sorted(registry.OPTIONAL)])
def test_an_entry_without_its_packages_names_the_extra(missing):
    with pytest.raises(MissingExtraError) as caught:
        entry_without(missing)()
    assert caught.value.message == "the model server needs packages that are not installed"
    assert caught.value.hint == "pip install 'cloudserve[server]'"


def test_a_missing_module_of_the_server_itself_is_a_bug():
    with pytest.raises(ModuleNotFoundError):
        entry_without("cloudserve.x")()


def test_every_package_that_the_local_server_imports_is_known_to_be_optional():
    imported = set()
    for file in (ROOT / "local_server").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.partition(".")[0])
    always = {"cloudserve", "google", "msgspec", "yaml", *sys.stdlib_module_names}
    assert imported - always <= registry.OPTIONAL
