"""Ctrl-C at every call to the bucket and the platform, before and after it took effect."""

import itertools

import pytest

from cloudserve.errors import RemoteError
from cloudserve.release.state.entries import Event

CALLS = ("ensure", "head", "read", "write", "upload", "list", "delete")


class Stopper:
    """Raises an error at the n-th call from outside, before or after the call's effect."""

    def __init__(self, platform, monkeypatch, number, *, after, error):
        self.left, self.after, self.error = number, after, error
        for owner, names in ((platform.blobs, CALLS), (platform, ("read", "perform"))):
            for name in names:
                monkeypatch.setattr(owner, name, self.around(getattr(owner, name)))

    @property
    def came(self):
        return self.left <= 0

    def around(self, call):
        def stopping(*arguments):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise self.error
            result = call(*arguments)
            if self.left == 0 and self.after:
                raise self.error
            return result

        return stopping


def stopped(platform, monkeypatch, number, after, error, verb):
    """Run a verb that is stopped at its n-th call; return whether it came so far, and its end.

    The end is whether the verb has to be run again: it failed, and did not say that it is done.
    """
    is_cut_off = False
    with monkeypatch.context() as patch:
        stopper = Stopper(platform, patch, number, after=after, error=error)
        try:
            verb()
        except type(error) as caught:
            assert stopper.came
            is_cut_off = "Every step is done" not in "".join(getattr(caught, "__notes__", ()))
    left = [key for key in platform.blobs.objects if key.endswith("lock.json")]
    if isinstance(error, RemoteError):  # a bucket that fails may keep the lock: as after a kill
        for key in left:
            platform.blobs.delete(key)
    else:
        assert not left
    return stopper.came, is_cut_off


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "make_error",
    [KeyboardInterrupt, pytest.param(lambda: RemoteError("cut"), marks=pytest.mark.slow)],
)
def test_a_release_continues_wherever_it_was_stopped(
    releases, platform, monkeypatch, after, make_error
):
    def stop(number, verb):
        return stopped(platform, monkeypatch, number, after, make_error(), verb)

    for number in itertools.count(1):
        platform.__init__()
        if not stop(number, lambda: releases().deploy(123))[0]:
            break
        first = releases().deploy(123).deployment.live
        assert first.startswith("v123-")

        second = releases().deploy(124).plan.revision.id
        stop(number, lambda: releases().promote())
        assert releases().promote().deployment.live == second

        if stop(number, lambda: releases().rollback())[1]:
            releases().rollback()
        assert platform.traffic == {first: 1.0}
        history = releases().history()
        assert all(entry.has_end for entry in history)
        assert {entry.operation for entry in history} >= {"deploy", "promote", "rollback"}
    assert number > 15


def test_a_rollback_knows_of_a_promotion_whose_end_was_not_recorded(releases, platform):
    first = releases().deploy(123).plan.revision.id
    releases().deploy(124)

    def killed(key):
        if platform.traffic != {first: 1.0} and "/ledger/" in key:
            raise RemoteError("the network is down")

    platform.blobs.before_write = killed
    with pytest.raises(RemoteError) as caught:
        releases().promote()
    assert caught.value.__notes__[0].endswith("Every step is done.")
    platform.blobs.before_write = lambda key: None
    assert not releases().promote().changed
    assert releases().rollback().deployment.live == first


def test_a_release_whose_end_could_not_be_recorded_at_once_is_finished(releases, platform):
    keys = []

    def interrupt_the_last_entry(key):
        keys.append(key)
        if len([k for k in keys if "/ledger/" in k]) == 4:
            raise KeyboardInterrupt

    platform.blobs.before_write = interrupt_the_last_entry
    with pytest.raises(KeyboardInterrupt):
        releases().deploy(123)
    assert releases().history()[0].outcome is Event.FINISHED


def test_a_second_ctrl_c_while_the_stop_is_recorded_keeps_the_story(releases, platform):
    def interrupt(key):
        if "/ledger/" in key:
            raise KeyboardInterrupt

    platform.blobs.before_write = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        releases().deploy(123)
    assert "done: nothing\nnot done: upload" in caught.value.__notes__[0]


def test_a_release_that_is_done_says_so_when_its_result_cannot_be_read(releases, platform):
    def down(model):
        raise RemoteError("the network is down")

    def before_write(key):
        entries = [name for name in platform.blobs.objects if "/ledger/" in name]
        if "/ledger/" in key and len(entries) == 3:  # the fourth says that it is finished
            platform.read = down

    platform.blobs.before_write = before_write
    with pytest.raises(RemoteError) as caught:
        releases().deploy(123)
    assert caught.value.__notes__[0].startswith("Every step is done")
    assert releases().history()[0].outcome is Event.FINISHED
