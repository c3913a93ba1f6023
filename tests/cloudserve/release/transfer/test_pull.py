"""A released model comes back from its bucket, by whatever name it is asked for."""

from __future__ import annotations

import pytest

from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.savedmodel import read_tree


def test_the_live_revision_is_pulled_unless_another_is_named(releases, base, tmp_path):
    first = releases().deploy(123).plan.revision
    second = releases().deploy(124).plan.revision
    pulled = releases().pull(tmp_path / "live")
    assert (pulled.revision, pulled.changed) == (first, True)
    assert read_tree(tmp_path / "live") == read_tree(base / "123")
    for number, name in enumerate([second.id, "124", "v124"]):
        pulled = releases().pull(tmp_path / str(number), name)
        assert pulled.revision == second
    assert read_tree(tmp_path / "0") == read_tree(base / "124")
    assert (pulled.files, pulled.size) == (len(read_tree(base / "124").files), pulled.size)


def test_a_digest_names_a_revision_unless_two_have_it(releases, tmp_path):
    revision = releases().deploy(123).plan.revision
    assert releases().pull(tmp_path / "a", revision.digest[:6]).revision == revision
    assert releases().pull(tmp_path / "b", revision.digest).revision == revision
    releases().deploy(124)  # the same bytes under another number
    with pytest.raises(UserError, match="fits several"):
        releases().pull(tmp_path / "c", revision.digest[:6])


def test_a_pull_into_what_it_made_changes_nothing(releases, tmp_path):
    releases().deploy(123)
    assert releases().pull(tmp_path / "model").changed
    assert not releases().pull(tmp_path / "model").changed


def test_without_a_live_revision_the_newest_is_pulled(releases, platform, tmp_path):
    releases().deploy(123)
    second = releases().deploy(124).plan.revision
    platform.traffic = {}
    assert releases().pull(tmp_path / "model").revision == second


@pytest.mark.parametrize("name", ["9", "v9-000000000000", "zzzz", "1", ""])
def test_a_missing_revision_is_refused_with_the_uploaded_ones(releases, tmp_path, name):
    revision = releases().deploy(123).plan.revision
    with pytest.raises(UserError, match="was not uploaded") as error:
        releases().pull(tmp_path / "model", name)
    assert revision.id in error.value.hint
    assert not (tmp_path / "model").exists()


def test_an_upload_that_was_not_finished_is_not_pulled(releases, platform, tmp_path):
    releases().deploy(123)
    platform.blobs.delete(next(key for key in platform.blobs.objects if "/manifests/" in key))
    with pytest.raises(UserError, match=f"was uploaded to {platform.blobs.url}") as error:
        releases().pull(tmp_path / "model")
    assert error.value.hint.startswith("deploy it first")


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, RemoteError])
def test_a_pull_that_was_stopped_says_how_to_continue(releases, tmp_path, stopped):
    releases().deploy(123)

    def stop(event):
        raise stopped("stopped")

    with pytest.raises(stopped) as error:
        releases(on_event=stop).pull(tmp_path / "model")
    assert error.value.__notes__ == ["Run the same command again to continue."]
    assert not (tmp_path / "model").exists()
    assert releases().pull(tmp_path / "model").changed


def test_a_manifest_under_another_name_is_refused(releases, platform, tmp_path):
    revision = releases().deploy(123).plan.revision
    (key,) = (key for key in platform.blobs.objects if "/manifests/" in key)
    other = key.replace(revision.id, "v124-000000000000")
    platform.blobs.write(other, platform.blobs.objects[key][0])
    with pytest.raises(ConflictError, match="is another's"):
        releases().pull(tmp_path / "model", "124")
