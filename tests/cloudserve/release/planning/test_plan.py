"""Plans on their own: made, written, read, and applied while they are still true."""

import json
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.release.destination import Destination
from cloudserve.release.planning.plan_file import plan_id, read_plan, write_plan
from cloudserve.release.state.entries import Event
from cloudserve.release.types import Action, Operation, Plan, Revision


def test_a_plan_says_what_would_be_done_and_does_nothing(releases, platform):
    plan = releases().plan_deploy(123)
    assert [action.sentence.split()[0] for action in plan.actions] == ["upload", "create"]
    assert platform.blobs.objects == {}
    assert platform.performed == []


def test_a_plan_has_what_the_platform_warns_of(releases, platform):
    platform.warnings = ("the image goes away",)
    assert releases().plan_deploy(123).warnings == ("the image goes away",)
    releases().deploy(123)
    assert releases().plan_deploy(123).warnings == ()


def test_each_verb_performs_its_plan(releases):
    for plan, verb in (
        (lambda: releases().plan_deploy(123), lambda: releases().deploy(123)),
        (lambda: releases().plan_deploy(), lambda: releases().deploy()),
        (lambda: releases().plan_promote(percent=10), lambda: releases().promote(percent=10)),
        (lambda: releases().plan_promote(), lambda: releases().promote()),
        (lambda: releases().plan_rollback(), lambda: releases().rollback()),
    ):
        planned, done = plan(), verb()
        assert done.changed
        assert planned == done.plan


def test_an_approved_plan_is_carried_out_and_recorded(releases):
    plan = releases().plan_deploy(123)
    outcome = releases().apply(plan)
    assert outcome.changed
    assert outcome.deployment.live == plan.revision.id
    (release,) = releases().history()
    assert (release.outcome, release.plan) == (Event.FINISHED, plan_id(plan))


def test_applying_it_again_changes_nothing(releases, platform):
    plan = releases().plan_deploy(123)
    releases().apply(plan)
    objects = dict(platform.blobs.objects)
    assert not releases().apply(plan).changed
    assert platform.blobs.objects == objects


def test_a_plan_of_traffic_is_applied_to_what_it_was_made_for(releases):
    first = releases().deploy(123).plan.revision.id
    second = releases().deploy(124).plan.revision.id
    canary = releases().plan_promote("124", percent=10)
    assert releases().apply(canary).deployment.traffic == {first: 0.9, second: 0.1}
    back = releases().plan_rollback()
    assert releases().apply(back).deployment.traffic == {first: 1.0}
    assert [release.operation for release in releases().history()][2:] == ["promote", "rollback"]


def refused(releases, plan, why):
    count = len(releases().history())
    with pytest.raises(ConflictError, match=why) as caught:
        releases().apply(plan)
    assert caught.value.hint
    assert caught.value.where
    assert len(releases().history()) == count


def test_a_plan_is_refused_when_the_traffic_moved_since(releases):
    first = releases().deploy(123).plan.revision.id
    second = releases().deploy(124).plan.revision.id
    plan = releases().plan_promote("124", percent=10)
    releases().promote("124")
    refused(releases, plan, f"does not fit any more: no revision beside {second} has traffic")
    releases().promote("123")
    third = releases().plan_promote("124")
    releases().promote("124")
    releases().promote("123", percent=10)
    refused(releases, third, f"does not fit any more: {first} was live, {second} is")


def test_a_plan_is_refused_when_another_revision_came_since(releases):
    plan = releases().plan_deploy(123)
    releases().deploy(124)
    refused(releases, plan, r"does not fit any more: nothing was live, v124-\w+ is")


def test_a_plan_is_refused_when_what_the_platform_has_was_changed(releases, platform):
    releases().deploy(123)
    releases().deploy(124)
    plan = releases().plan_promote("124")
    platform.deployed.pop(next(name for name in platform.deployed if name.startswith("v123")))
    refused(releases, plan, "what the platform has was changed since it was made")


def test_a_plan_is_refused_when_its_revision_is_gone(releases, platform):
    releases().deploy(123)
    releases().deploy(124)
    plan = releases().plan_promote("124")
    platform.deployed.pop(plan.revision.id)
    refused(releases, plan, r"does not fit any more: version `v124-\w+` of half is not deployed")


def test_a_plan_is_refused_when_the_targets_fields_ask_for_other_steps(releases, platform):
    plan = releases().plan_deploy(123)
    made = platform.plan_deploy

    def larger(*arguments):
        return tuple(Action(a.kind, a.sentence, {"machine": "xl"}) for a in made(*arguments))

    platform.plan_deploy = larger
    refused(releases, plan, "other steps are needed now")


def test_a_plan_is_refused_when_the_models_files_were_changed(releases, base, tmp_path):
    shutil.copytree(base / "123", tmp_path / "model" / "1")
    plan = releases(path=tmp_path / "model").plan_deploy()
    (tmp_path / "model" / "1" / "assets.txt").write_text("another")
    with pytest.raises(ConflictError, match=r"the model's files are v1-\w+, and the plan"):
        releases(path=tmp_path / "model").apply(plan)


def test_a_plan_that_was_uploaded_before_needs_no_local_files(releases, platform, base, tmp_path):
    shutil.copytree(base / "123", tmp_path / "model" / "1")

    def fail(action):
        raise RemoteError("cut")

    platform.before = fail
    with pytest.raises(RemoteError):
        releases(path=tmp_path / "model").deploy()
    platform.before = lambda action: None
    plan = releases(path=tmp_path / "model").plan_deploy()
    shutil.rmtree(tmp_path / "model")
    assert releases(path=tmp_path / "model").apply(plan).changed


def test_a_plan_that_stopped_midway_continues_when_it_is_applied_again(releases, platform):
    plan = releases().plan_deploy(123)

    def stop(action):
        raise KeyboardInterrupt

    platform.before = stop
    with pytest.raises(KeyboardInterrupt):
        releases().apply(plan)
    platform.before = lambda action: None
    sent = list(platform.blobs.uploads)
    assert releases().apply(plan).deployment.live == plan.revision.id
    assert platform.blobs.uploads == sent


def test_a_plan_that_was_applied_and_undone_says_so(releases):
    releases().deploy(123)
    releases().deploy(124)
    plan = releases().plan_promote("124", percent=10)
    releases().apply(plan)
    releases().provider.traffic = {"v0-elsewhere": 1.0}
    refused(releases, plan, "does not fit any more: it was applied by ada at .* UTC")


def test_a_change_before_the_lock_is_a_conflict(releases, platform):
    releases().deploy(123)
    second = releases().deploy(124).plan.revision.id
    plan = releases().plan_promote("124", percent=10)

    def another_was_first(key):
        if key.endswith("lock.json"):
            platform.traffic = {second: 1.0}

    platform.blobs.before_write = another_was_first
    with pytest.raises(ConflictError, match="does not fit any more"):
        releases().apply(plan)


# The file.

texts = st.text(max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
actions = st.builds(
    Action,
    texts,
    texts,
    st.dictionaries(
        texts,
        st.recursive(
            st.none() | st.booleans() | texts | st.integers(-(2**53), 2**53) | finite,
            lambda values: (
                st.lists(values, max_size=3) | st.dictionaries(texts, values, max_size=3)
            ),
            max_leaves=5,
        ),
    ),
    texts,
    texts,
)
plans = st.builds(
    Plan,
    st.sampled_from(Operation),
    texts,
    texts,
    st.builds(Revision, st.integers(0, 2**63 - 1), texts),
    st.lists(actions, max_size=3).map(tuple),
    st.none() | st.sampled_from([Path("models/m/1"), Path("/a b/ü")]),
    st.none() | texts,
    st.integers(1, 100),
    texts,
    st.lists(texts, max_size=2).map(tuple),
    st.none() | st.builds(Destination, texts, texts, texts, texts, texts),
)


@given(plans)
def test_a_plan_comes_back_from_its_file_as_it_was(tmp_path_factory, plan):
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    write_plan(plan, file, "ada")
    assert read_plan(file) == plan
    assert plan_id(read_plan(file)) == plan_id(plan)
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models:\n", "the file is not a plan: "),
        ("{}", "the file is not a plan: Object missing required field `plan`"),
        ("", "the file is not a plan: "),
    ],
)
def test_a_file_that_is_not_a_plan_is_refused_with_its_path_and_a_hint(tmp_path, text, message):
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_plan(file)
    assert caught.value.where == str(file)
    assert "cloudserve plan" in caught.value.hint


@pytest.mark.parametrize("schema", [3, 5])
def test_a_plan_of_another_schema_is_refused_before_it_is_read(tmp_path, releases, schema):
    file = tmp_path / "plan.json"
    write_plan(releases().plan_deploy(123), file, "ada")
    content = json.loads(file.read_text()) | {"plan": "of another shape", "schema": schema}
    again = "make it again with `cloudserve plan … --out FILE`"
    hints = {"cloudserve 9.1": f"apply it with cloudserve 9.1, or {again}", content["tool"]: again}
    for tool, hint in hints.items():
        file.write_text(json.dumps(content | {"tool": tool}))
        refusal = f"the plan has schema {schema}, and this version reads 4"
        with pytest.raises(UserError, match=refusal) as caught:
            read_plan(file)
        assert caught.value.hint == hint


def test_an_action_is_named_by_its_kind_unless_it_has_an_id():
    assert Action("move", "move it").id == "move"
    assert Action("move", "move it", id="move-1").id == "move-1"
    with pytest.raises(TypeError, match="`args` is a JSON object"):
        Action("move", "move", "move it")


def test_a_plan_that_cannot_be_written_leaves_nothing(tmp_path, releases):
    with pytest.raises(UserError, match=r"a plan cannot be written: .* is not a file") as caught:
        write_plan(releases().plan_deploy(123), tmp_path, "ada")
    assert caught.value.where == str(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="a plan cannot be written: there is no folder"):
        write_plan(releases().plan_deploy(123), tmp_path / "nowhere" / "plan.json", "ada")
