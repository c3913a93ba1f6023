"""A rollback that was cut off, and the release that comes after it.

After a kill nothing of the process runs, so every later call fails too, its lock stays, and its
process is dead: a lock names a process by its start time, which is another one in each run here.
"""

import shutil

import pytest

from cloudserve.errors import UserError
from cloudserve.release.state.entries import Event
from tests.cloudserve.release.killable import Killed, release_three


def test_the_end_of_a_killed_release_says_who_found_it(terminal):
    release_three(terminal)
    entries = iter(range(100))
    blobs = terminal.platform.blobs

    def die_at_the_end(key):
        if "/ledger/" in key and terminal.live == "v2" and next(entries) == 2:
            raise Killed

    blobs.before_write, delete, blobs.delete = die_at_the_end, blobs.delete, lambda key: None
    with pytest.raises(Killed):
        terminal.run("rollback")
    blobs.before_write, blobs.delete = lambda key: None, delete
    killed = terminal.run("history")[-1]
    assert (killed.outcome, killed.has_end) == (Event.STEP, False)

    outcome = terminal.run("rollback", who="bob")
    assert not outcome.changed
    assert terminal.lines[-1] == (
        f"recorded as finished: the rollback of {outcome.plan.revision.id} that ada began at "
        f"{killed.started:%Y-%m-%d %H:%M} UTC"
    )
    ended = terminal.run("history")[-1]
    assert (ended.id, ended.outcome, ended.who) == (killed.id, Event.FINISHED, "ada")
    assert ended.ended_by == "bob"
    terminal.assert_all_is_ended()


def stop_rollback(terminal):
    """Interrupt a rollback to version 2 before it moves anything."""

    def interrupt(action):
        raise KeyboardInterrupt

    release_three(terminal)
    terminal.platform.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        terminal.run("rollback")
    terminal.platform.before = lambda action: None


def test_a_rollback_to_a_revision_that_was_deleted_deploys_it_again(terminal):
    stop_rollback(terminal)
    gone = next(name for name in terminal.platform.deployed if name.startswith("v2-"))
    del terminal.platform.deployed[gone]
    assert terminal.run("rollback").deployment.live == gone
    terminal.assert_all_is_ended()


def test_a_rollback_to_a_revision_without_files_is_not_continued_to_another(terminal):
    stop_rollback(terminal)
    gone = next(name for name in terminal.platform.deployed if name.startswith("v2-"))
    del terminal.platform.deployed[gone]
    del terminal.platform.blobs.objects[f"cloudserve/half/manifests/{gone}.json"]
    with pytest.raises(UserError) as caught:
        terminal.run("rollback")
    assert caught.value.message == (
        f"{gone} is not deployed any more, and its files are not in the bucket"
    )
    assert "name the revision to go back to" in caught.value.hint
    assert terminal.run("rollback", "1").deployment.live.startswith("v1-")


def test_an_interrupted_rollback_is_continued_after_a_deploy(terminal):
    stop_rollback(terminal)
    shutil.rmtree(terminal.project.models["half"].path / "3")
    del terminal.platform.deployed[next(n for n in terminal.platform.deployed if n[:3] == "v1-")]
    assert terminal.run("deploy", 1).changed
    assert terminal.run("rollback").plan.revision.number == 2
