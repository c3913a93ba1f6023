"""A model of a registry: pinned by its plan; an alias that follows the live version if asked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cloudserve import registry
from cloudserve.errors import ConflictError, MissingExtraError, RemoteError, UserError
from cloudserve.project import Model, Project, Target
from cloudserve.release.destination import Destination
from cloudserve.release.service import Releases
from cloudserve.release.state.entries import Event
from cloudserve.storage.events import Reporter, ignore
from cloudserve.storage.model_registry import RegisteredModel
from cloudserve.storage.model_source import ModelSource

CLOUD = Destination("aws", account="account 123456789012", region="eu-west-1")


@dataclass
class FolderRegistry:
    """A registry of one model, with a folder per version; `before_set` may raise."""

    folder: Path
    aliases: dict[str, int] = field(default_factory=lambda: {"candidate": 123})
    error: Exception | None = None

    def find(self, url):
        name, _, alias = url.partition("@")
        return RegisteredModel(f"{name}/{self.aliases[alias]}", self.aliases[alias])

    def download(self, url, into):
        return Path(shutil.copytree(self.folder / url.rpartition("/")[2], into / "model"))

    def aliased(self, url, alias):
        return self.aliases.get(alias)

    def set_alias(self, url, alias):
        if self.error:
            raise self.error
        self.aliases[alias] = int(url.rpartition("/")[2])


@pytest.fixture
def models(base, monkeypatch):
    made = FolderRegistry(base)
    monkeypatch.setattr(registry, "model_registry", lambda url, environ: made)
    return made


@pytest.fixture
def verbs(platform, models, monkeypatch, tmp_path):
    """Give the verbs for a model of the registry, on an account unless `offline`."""
    monkeypatch.setattr(registry, "provider", lambda target, environ: platform)

    def make(lines=None, alias="champion", **fields):
        platform.place = platform.place if fields.pop("offline", False) else CLOUD
        url = "models:/half@candidate"
        target = Target("here", "memory", mlflow_alias=alias, **fields)
        project = Project(Path("cloudserve.yaml"), {"half": Model("half", url, url=url)}, {})
        project = replace(project, targets={"here": target})
        reporter = Reporter(ignore if lines is None else lines.append)
        environ = {"CLOUDSERVE_ACTOR": "ada", "CLOUDSERVE_MODEL_CACHE": str(tmp_path / "cache")}
        return Releases(project, "half", "here", environ=environ, reporter=reporter)

    return make


def deploy_both(verbs, models):
    """Deploy version 123, which is live, and version 124 beside it."""
    verbs().deploy()
    models.aliases["candidate"] = 124
    return verbs().deploy()


def test_the_alias_follows_the_first_deployment_promotions_and_rollbacks(verbs, models):
    assert verbs().deploy().alias.version == "models:/half/123"
    assert models.aliases["champion"] == 123
    models.aliases["candidate"] = 124
    assert verbs().deploy().alias is None
    assert models.aliases["champion"] == 123
    assert verbs().promote().alias.version == "models:/half/124"
    assert models.aliases["champion"] == 124
    assert verbs().rollback().alias.version == "models:/half/123"
    assert models.aliases["champion"] == 123


def test_no_alias_is_touched_unless_the_target_asks(verbs, models):
    deploy_both(lambda: verbs(alias=""), models)
    assert verbs(alias="").promote().alias is None
    assert set(models.aliases) == {"candidate"}


def test_a_part_of_the_traffic_moves_no_alias(verbs, models):
    deploy_both(verbs, models)
    assert verbs().promote(percent=10).alias is None
    assert models.aliases["champion"] == 123


def test_a_rehearsal_leaves_the_registry_alone_and_says_so(verbs, models):
    lines = []
    verbs(lines, offline=True).deploy()
    assert "a rehearsal leaves the alias `champion` of MLflow's registry as it is" in "\n".join(
        lines
    )
    assert set(models.aliases) == {"candidate"}
    models.aliases["candidate"] = 124
    verbs(offline=True).deploy()
    assert verbs(offline=True, rehearses_alias=True).promote().alias.version == "models:/half/124"


def test_a_failing_registry_does_not_undo_the_release_and_the_same_command_sets_the_alias(
    verbs, models
):
    second = deploy_both(verbs, models).plan.revision
    models.error = RemoteError("MLflow failed: 503", where="models:/half", hint="look at it")
    lines = []
    outcome = verbs(lines).promote()
    assert outcome.deployment.live == second.id
    assert outcome.alias.version == ""
    again = f"`cloudserve promote half --target here --version {second.id}` sets it"
    assert outcome.alias.error == f"MLflow failed: 503 (models:/half); look at it; then {again}"
    assert lines[-1].startswith("warning: the release is done, but the alias `champion` was not")
    assert verbs().history()[-1].outcome is Event.FINISHED
    entries = len(verbs().history())

    models.error = None
    repaired = verbs().promote()
    assert not repaired.changed
    assert repaired.alias.version == "models:/half/124"
    assert models.aliases["champion"] == 124
    assert len(verbs().history()) == entries


def test_a_revision_of_other_files_has_no_version_to_name(verbs, models, releases, platform):
    releases().deploy(123)
    deploy_both(verbs, models)
    outcome = verbs().rollback("123") if verbs().promote().changed else None
    assert "was not uploaded from a version of MLflow's registry" in outcome.alias.error
    assert outcome.deployment.live.startswith("v123-")
    assert models.aliases["champion"] == 124


def test_without_the_extra_nothing_is_promoted_but_a_rollback_is(verbs, models, monkeypatch):
    deploy_both(verbs, models)
    verbs().promote()

    def missing(url, environ):
        raise MissingExtraError(url, "mlflow")

    monkeypatch.setattr(registry, "model_registry", missing)
    back = verbs().rollback()
    assert back.deployment.live.startswith("v123-")
    assert "pip install 'cloudserve[mlflow]'" in back.alias.error
    with pytest.raises(MissingExtraError):
        verbs().promote("124")
    assert verbs().status().live.startswith("v123-")


def test_a_plan_is_refused_if_the_alias_of_the_path_has_moved(verbs, models):
    verbs().deploy()
    models.aliases["candidate"] = 124
    planned = verbs().plan_deploy()
    models.aliases["candidate"] = 123
    with pytest.raises(ConflictError, match="names models:/half/123 now") as caught:
        verbs().apply(planned)
    assert caught.value.hint == "plan again, or give the alias back to the version"
    models.aliases["candidate"] = 124
    assert verbs().apply(planned).changed


def test_a_plan_is_refused_if_the_files_of_the_version_have_changed(verbs, models, tmp_path):
    models.folder = Path(shutil.copytree(models.folder, tmp_path / "registry"))
    planned = verbs().plan_deploy()
    (models.folder / "123" / "assets.extra").mkdir()
    (models.folder / "123" / "assets.extra" / "note").write_text("replaced")
    with pytest.raises(ConflictError, match="the model's files are v123-"):
        verbs().apply(planned)


def test_a_plan_without_the_alias_is_refused_when_the_target_asks_for_one(verbs, models):
    deploy_both(lambda: verbs(alias=""), models)
    planned = verbs(alias="").plan_promote()
    with pytest.raises(ConflictError, match="`mlflow_alias` is `champion` now"):
        verbs().apply(planned)
    assert set(models.aliases) == {"candidate"}


def test_another_number_than_that_of_the_alias_is_refused(verbs, models):
    with pytest.raises(UserError, match="the model is version 123, not 124") as caught:
        verbs().plan_deploy(124)
    assert caught.value.hint == "name the version in its path: models:/half/124"


def test_equal_files_are_kept_once_in_the_cache(models, tmp_path):
    cache = tmp_path / "cache"
    (cache / "0" / ".incoming-of-a-killed-process").mkdir(parents=True)
    found = set()
    for _ in range(2):
        url = "models:/half@candidate"
        source = ModelSource(Model("half", url, url=url), {"CLOUDSERVE_MODEL_CACHE": str(cache)})
        number, folder = source.resolve()
        assert (number, source.registered(folder)) == (123, "models:/half/123")
        found.add(folder)
        source.close()
    assert len(found) == 1
    assert not list(cache.rglob(".incoming-*"))
