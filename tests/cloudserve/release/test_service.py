"""Deploy, promote and roll back: what each does, repeats, refuses, and leaves when it stops."""

import os
import re
import shutil

import msgspec
import pytest

from cloudserve.errors import ConflictError, ModelError, RemoteError, UnreachableError, UserError
from cloudserve.release.state.entries import Event
from cloudserve.release.state.layout import Layout


def stopping(at, error):
    def before(name):
        if name == at or getattr(name, "id", None) == at:
            raise error

    return before


def test_the_first_version_is_live_at_once(releases, platform):
    outcome = releases().deploy(123)
    assert outcome.changed
    assert outcome.deployment.live == outcome.plan.revision.id
    assert platform.performed == ["create"]


def test_the_newest_version_is_taken_unless_one_is_named(releases):
    assert releases().deploy().plan.revision.number == 124


def test_a_later_version_waits_for_its_promotion(releases):
    first = releases().deploy(123).plan.revision.id
    outcome = releases().deploy(124)
    assert outcome.deployment.live == first
    assert releases().promote().deployment.live == outcome.plan.revision.id


def test_deploying_the_same_digest_again_changes_nothing(releases, platform):
    releases().deploy(123)
    objects = dict(platform.blobs.objects)
    outcome = releases().deploy(123)
    assert not outcome.changed
    assert platform.blobs.objects == objects
    assert platform.performed == ["create"]


def test_the_manifest_is_written_after_every_file(releases, platform):
    keys = []
    platform.blobs.before_write = keys.append
    outcome = releases().deploy(123)
    layout = Layout(platform.blobs.url, "half", "here")
    manifest = keys.index(layout.manifest(outcome.plan.revision))
    prefix = layout.location(outcome.plan.revision).saved_model
    files = [i for i, key in enumerate(keys) if key.startswith(prefix)]
    assert files
    assert max(files) < manifest


@pytest.mark.parametrize("error", [RemoteError("the network is down"), KeyboardInterrupt()])
def test_a_deploy_that_stops_says_what_is_done_and_continues_when_run_again(
    releases, platform, error
):
    platform.before = stopping("create", error)
    with pytest.raises(type(error)) as caught:
        releases().deploy(123)
    note = "\n".join(caught.value.__notes__)
    assert "done: upload" in note
    assert "not done: create v123-" in note
    assert "Run the same command again" in note

    platform.before = lambda action: None
    sent = list(platform.blobs.uploads)
    assert releases().deploy(123).deployment.live
    assert platform.blobs.uploads == sent  # no file was sent twice


def test_an_upload_that_stops_midway_sends_only_what_is_missing(releases, platform):
    count = 0

    def fail_at_the_second_file(key):
        nonlocal count
        count += "/revisions/" in key
        if count == 2:
            raise RemoteError("cut")

    platform.blobs.before_write = fail_at_the_second_file
    with pytest.raises(RemoteError):
        releases().deploy(123)
    assert len(platform.blobs.uploads) == 1
    platform.blobs.before_write = lambda key: None
    releases().deploy(123)
    assert len(set(platform.blobs.uploads)) == len(platform.blobs.uploads)


def test_a_file_with_other_bytes_of_the_same_size_is_sent_again(releases, platform):
    platform.before = stopping("create", RemoteError("cut"))
    with pytest.raises(RemoteError):
        releases().deploy(123)
    manifest = next(key for key in platform.blobs.objects if "/manifests/" in key)
    platform.blobs.delete(manifest)
    key = platform.blobs.uploads[0]
    data, token, _ = platform.blobs.objects[key]
    platform.blobs.objects[key] = (data, token, {"cloudserve-sha256": "another"})
    platform.before = lambda action: None
    platform.blobs.uploads.clear()
    releases().deploy(123)
    assert platform.blobs.uploads == [key]


def test_a_broken_model_is_refused_before_anything_is_sent(releases, platform, tmp_path):
    broken = tmp_path / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"no protobuf")
    with pytest.raises(ModelError):
        releases(path=broken.parent).deploy()
    assert platform.blobs.objects == {}


def test_an_unknown_version_names_those_that_are_deployed(releases):
    first = releases().deploy(123).plan.revision.id
    with pytest.raises(UserError, match="version `9` of half is not deployed") as caught:
        releases().promote("9")
    assert caught.value.hint == f"name one of these: {first}"


@pytest.mark.parametrize("name", ["123", "v123", "id"])
def test_a_version_can_be_named_in_three_ways(releases, name):
    revision = releases().deploy(123).plan.revision
    releases().deploy(124)
    releases().promote("124")
    wanted = revision.id if name == "id" else name
    assert releases().promote(wanted).deployment.live == revision.id


def test_a_digests_beginning_names_a_version_unless_two_have_it(releases):
    digest = releases().deploy(123).plan.revision.digest
    assert releases().promote(digest[:10]).plan.revision.digest == digest
    releases().deploy(124)  # the same files under another number
    with pytest.raises(UserError, match="fits several revisions"):
        releases().promote(digest[:10])


def test_promoting_what_is_live_changes_nothing(releases):
    releases().deploy(123)
    assert not releases().promote("123").changed


def test_a_rollback_brings_back_the_revision_before(releases):
    first = releases().deploy(123).plan.revision.id
    releases().deploy(124)
    releases().promote()
    assert releases().rollback().deployment.live == first


def test_a_second_rollback_does_not_bring_back_what_the_first_took_away(releases):
    releases().deploy(123)
    releases().deploy(124)
    releases().promote()
    releases().rollback()
    with pytest.raises(UserError, match="no earlier revision of half to go back to"):
        releases().rollback()


def test_a_rollback_can_name_its_revision(releases):
    releases().deploy(123)
    second = releases().deploy(124).plan.revision.id
    assert releases().rollback(to="124").deployment.live == second


def test_a_plan_that_is_empty_under_the_lock_is_not_recorded(releases, platform):
    releases().deploy(123)
    second = releases().deploy(124).plan.revision.id
    count = len(releases().history())

    def another_was_first(key):
        if key.endswith("lock.json"):
            platform.traffic = {second: 1.0}

    platform.blobs.before_write = another_was_first
    assert not releases().promote().changed
    assert len(releases().history()) == count


def test_a_rollback_whose_traffic_another_moved_is_a_conflict(releases, platform):
    first = releases().deploy(123).plan.revision.id
    releases().deploy(124)
    releases().promote()

    def another_was_first(key):
        platform.traffic = {first: 1.0}

    platform.blobs.before_write = another_was_first
    with pytest.raises(ConflictError, match="another release has moved the traffic"):
        releases().rollback()


@pytest.mark.parametrize("verb", ["promote", "rollback"])
def test_an_empty_name_is_no_default(releases, verb):
    releases().deploy(123)
    releases().deploy(124)
    with pytest.raises(UserError, match="version `` of half is not deployed"):
        getattr(releases(), verb)("")


def test_a_model_that_is_written_while_it_is_sent_is_refused_and_taken_back(
    releases, platform, base, tmp_path
):
    shutil.copytree(base / "123", tmp_path / "model" / "1")
    written = tmp_path / "model" / "1" / "saved_model.pb"

    def write_on(key):
        if "/revisions/" in key and key.endswith("saved_model.pb"):
            written.write_bytes(written.read_bytes()[::-1])

    platform.blobs.before_write = write_on
    with pytest.raises(ModelError, match="the model changed since the release was planned"):
        releases(path=tmp_path / "model").deploy()
    assert not [key for key in platform.blobs.objects if "/targets/" not in key]
    assert platform.deployed == {}


def test_a_path_that_is_not_utf_8_is_no_harm(releases, base, tmp_path):
    model = tmp_path / os.fsdecode(b"m\xff")
    shutil.copytree(base / "123", model / "1")
    assert releases(path=model).deploy().changed
    assert "m\ufffd" in releases().history()[0].steps[0]


def test_a_second_release_at_the_same_time_is_refused_and_reports_who_holds_the_lock(
    releases, platform
):
    observed = []

    def try_another(action):
        with pytest.raises(ConflictError) as caught:
            releases().deploy(124)
        observed.append(caught.value.message)

    platform.before = try_another
    releases().deploy(123)
    assert observed[0].startswith("another release of this model is running: ada, process ")
    assert not any(key.endswith("lock.json") for key in platform.blobs.objects)


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_rollback_while_another_one_is_running_is_refused(releases, platform, is_moved):
    first = releases().deploy(123).plan.revision.id
    second = releases().deploy(124).plan.revision.id
    releases().promote()
    observed = []

    def try_another(key):
        moved = platform.traffic == {first: 1.0}
        if "/ledger/" in key and moved == is_moved and not observed:
            with pytest.raises(ConflictError) as caught:
                releases().rollback()
            observed.append(caught.value.message)
            assert not releases().promote(first if moved else second).changed

    platform.blobs.before_write = try_another
    releases().rollback()
    assert observed[0].startswith("another release of this model is running: ada, process ")
    assert platform.traffic == {first: 1.0}
    assert len(releases().history()) == 4


def test_a_release_whose_lock_was_taken_over_stops_before_its_next_action(releases, platform):
    def reuse_part(key):
        if "/manifests/" in key:  # the end of the upload
            lock = next(key for key in platform.blobs.objects if key.endswith("lock.json"))
            platform.blobs.delete(lock)

    platform.blobs.before_write = reuse_part
    with pytest.raises(ConflictError, match="this release has lost its lock") as caught:
        releases().deploy(123)
    assert platform.performed == []
    story = caught.value.__notes__[0]
    assert story.startswith("done: upload ")
    assert "\nnot done: create v123-" in story
    assert "The platform may continue" not in story
    assert releases().history()[0].outcome is Event.STOPPED


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (KeyboardInterrupt(), True),
        (UnreachableError("no answer"), True),
        (RemoteError("quota exceeded"), False),
    ],
)
def test_an_abandoned_wait_reports_that_the_platform_may_continue(
    releases, platform, error, goes_on
):
    platform.before = stopping("create", error)
    with pytest.raises(type(error)) as caught:
        releases().deploy(123)
    text = (
        "\nThe platform may continue the first that is not done: "
        "see `cloudserve status half --target here`.\n"
    )
    assert (text in caught.value.__notes__[0]) == goes_on


def test_an_adapters_note_on_a_continuing_operation_is_not_repeated(releases, platform):
    error = KeyboardInterrupt()
    error.add_note("the operation continues in the cloud: operations/7")
    platform.before = stopping("create", error)
    with pytest.raises(KeyboardInterrupt) as caught:
        releases().deploy(123)
    assert "The platform may continue" not in "\n".join(caught.value.__notes__)


def test_an_upload_that_was_interrupted_does_not_continue(releases, platform):
    def interrupt(key):
        if "/revisions/" in key:
            raise KeyboardInterrupt

    platform.blobs.before_write = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        releases().deploy(123)
    assert "The platform may continue" not in caught.value.__notes__[0]


def test_progress_is_reported_step_by_step(releases):
    lines = []
    releases(lines).deploy(123)
    assert lines.pop(0).startswith("gate load: passed, ")
    assert lines[0].startswith("upload ")
    assert lines[-1].startswith("create v123-")


def test_the_digest_in_the_bucket_must_be_the_models_own(releases, platform):
    outcome = releases().deploy(123)
    key = Layout(platform.blobs.url, "half", "here").manifest(outcome.plan.revision)
    data = platform.blobs.objects[key][0].replace(outcome.plan.revision.digest.encode(), b"0" * 64)
    platform.blobs.objects[key] = (data, "x", {})
    with pytest.raises(ConflictError, match="another model in the bucket"):
        releases().deploy(123)


def test_the_manifest_says_what_the_model_is_and_where_it_comes_from(releases, platform):
    outcome = releases().deploy(123)
    key = Layout(platform.blobs.url, "half", "here").manifest(outcome.plan.revision)
    manifest = msgspec.json.decode(platform.blobs.objects[key][0])
    assert manifest["digest"] == outcome.plan.revision.digest
    assert manifest["size"] == sum(file["size"] for file in manifest["files"])
    assert {"path", "size", "sha256"} == set(manifest["files"][0])
    assert manifest["who"] == "ada"
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", manifest["tensorflow"])
    assert {"commit", "dirty", "time", "tool", "schema"} <= set(manifest)


def test_the_platforms_warnings_are_the_first_lines_of_a_release_with_actions(releases, platform):
    lines = []
    platform.warnings = ("the image goes away",)
    releases(lines).deploy(123)
    assert lines[0] == "warning: the image goes away"
    lines.clear()
    releases(lines).deploy(123)
    assert lines == []


def test_history_reports_who_did_what_from_which_digest(releases):
    first = releases().deploy(123).plan.revision
    second = releases().deploy(124).plan.revision
    releases().promote()
    releases().rollback()
    lines = [(r.who, r.operation, r.revision, r.previous, r.outcome) for r in releases().history()]
    assert lines == [
        ("ada", "deploy", first.id, None, Event.FINISHED),
        ("ada", "deploy", second.id, first.id, Event.FINISHED),
        ("ada", "promote", second.id, first.id, Event.FINISHED),
        ("ada", "rollback", first.id, second.id, Event.FINISHED),
    ]
    assert releases().history()[1].digest == second.digest


def test_history_reports_a_release_that_stopped(releases, platform):
    platform.before = stopping("create", RemoteError("quota exceeded"))
    with pytest.raises(RemoteError):
        releases().deploy(123)
    release = releases().history()[0]
    assert (release.outcome, release.error) == (Event.STOPPED, "quota exceeded")
    assert [step.split()[0] for step in release.steps] == ["upload"]


def test_history_reports_an_interrupt_in_words(releases, platform):
    platform.before = stopping("create", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        releases().deploy(123)
    assert releases().history()[0].error == "interrupted"
