"""The registry of adapters and servers: missing and broken ones are reported."""

from importlib.metadata import EntryPoint

import pytest

from cloudserve import registry
from cloudserve.errors import MissingExtraError, ProjectError, UserError
from cloudserve.project import Target


def test_an_unknown_adapter_hints_at_the_closest():
    with pytest.raises(ProjectError, match="there is no adapter `sagemakr`") as caught:
        registry.provider(Target("t", "sagemakr", where="here"), {})
    assert (caught.value.where, caught.value.hint) == ("here", "did you mean `sagemaker`?")


@pytest.mark.parametrize("value", ["no.such.module:create", "cloudserve.registry:no_such_name"])
def test_an_adapter_that_cannot_be_imported_is_named(monkeypatch, value):
    point = EntryPoint("mine", value, registry.GROUP)
    monkeypatch.setattr(registry, "adapters", lambda: {"mine": point})
    with pytest.raises(UserError, match="the adapter `mine` cannot be loaded: ") as caught:
        registry.provider(Target("t", "mine"), {})
    assert caught.value.where == value


@pytest.mark.parametrize("missing", sorted(registry.OPTIONAL))
def test_a_server_without_its_packages_names_the_extra(monkeypatch, missing):
    def fail(module):
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(registry, "import_module", fail)
    with pytest.raises(MissingExtraError) as caught:
        registry.server("model-server")
    assert caught.value.hint == "pip install 'cloudserve[server]'"


def test_a_servers_own_missing_module_is_a_bug(monkeypatch):
    def fail(module):
        raise ModuleNotFoundError("No module named 'cloudserve.x'", name="cloudserve.x")

    monkeypatch.setattr(registry, "import_module", fail)
    with pytest.raises(ModuleNotFoundError):
        registry.server("emulator")
