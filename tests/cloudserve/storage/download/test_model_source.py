"""A model whose path is a URL: downloaded into a cache, its bucket only read."""

from __future__ import annotations

import shutil

import pytest

from cloudserve.errors import ModelError, ProjectError, UserError
from cloudserve.project import Model, load_project
from cloudserve.release.inspection.diff import diff
from cloudserve.storage.model_source import ModelSource

MODELS = "models: {{m: {{path: '{url}'}}}}\n"


@pytest.fixture
def base(tmp_path, shared_models):
    """Give a folder with two versions, as a bucket."""
    for number in (3, 12):
        source = shared_models / "tfs_half_plus_two_2v" / "123"
        shutil.copytree(source, tmp_path / "bucket" / "m" / str(number))
    return tmp_path / "bucket" / "m"


@pytest.fixture
def environ(tmp_path):
    return {"CLOUDSERVE_MODEL_CACHE": str(tmp_path / "cache")}


def source(url, environ):
    return ModelSource(Model("m", url, url=f"file://{url}"), environ)


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_newest_version_is_copied_and_the_bucket_stays_as_it_is(base, environ):
    before = files(base)
    number, folder = source(base, environ).resolve()
    assert (number, folder.name) == (12, "12")
    assert (folder / "saved_model.pb").read_bytes() == (base / "12/saved_model.pb").read_bytes()
    assert folder.is_relative_to(environ["CLOUDSERVE_MODEL_CACHE"])
    assert files(base) == before


def test_a_version_is_chosen_by_number_and_copied_once(base, environ):
    models = source(base, environ)
    _, folder = models.resolve(3)
    before = files(folder)
    assert models.resolve(3) == (3, folder)
    assert files(folder) == before
    with pytest.raises(UserError, match="there is no version 4") as caught:
        models.resolve(4)
    assert caught.value.hint == "name one of these: 3, 12"


def test_a_changed_object_is_another_copy(base, environ):
    models = source(base, environ)
    _, folder = models.resolve(3)
    (base / "3" / "assets.extra").mkdir()
    (base / "3" / "assets.extra" / "note").write_text("new")
    assert models.resolve(3)[1] != folder


def test_two_processes_do_not_share_a_cache(base, environ):
    first, second = source(base, environ), source(base, environ)
    assert first.resolve()[1] != second.resolve()[1]
    first.close()
    third = source(base, environ)
    assert third.resolve()[1].is_dir()
    second.close()
    third.close()


def test_a_limit_that_is_not_a_number_is_refused_by_its_variable(base, environ):
    environ["CLOUDSERVE_MODEL_CACHE_BYTES"] = "20GB"
    with pytest.raises(UserError, match="`20GB` is not a number of bytes") as caught:
        source(base, environ).resolve()
    assert caught.value.where == "CLOUDSERVE_MODEL_CACHE_BYTES"


def test_a_folder_without_a_model_is_an_error_with_the_url(base, environ):
    folder = base.parent / "none"
    with pytest.raises(ModelError, match="there is no such folder") as caught:
        source(folder, environ).resolve()
    assert caught.value.where == f"file://{folder}"
    folder.mkdir(parents=True)
    with pytest.raises(ModelError, match="there is no SavedModel"):
        source(folder, environ).resolve()


def test_a_project_names_the_folder_of_a_bucket(tmp_path, base, environ, shared_models):
    path = tmp_path / "cloudserve.yaml"
    path.write_text(MODELS.format(url=f"file://{base}"))
    project = load_project(path, environ={})
    assert project.models["m"].url == f"file://{base}"
    other = shared_models / "tfs_half_plus_two_2v" / "123"
    assert diff("m", other, project=project, environ=environ).contract.breaking == ()


@pytest.mark.parametrize(
    "url",
    ["https://x/y", "s3://", "s3://bucket", "ftp://a/b", "models://h/1", "models:/", "runs:/1"],
)
def test_a_url_that_is_not_a_folder_of_a_bucket_is_refused(tmp_path, url):
    path = tmp_path / "cloudserve.yaml"
    path.write_text(MODELS.format(url=url))
    with pytest.raises(ProjectError, match="neither a directory nor a folder of a bucket"):
        load_project(path, environ={})
