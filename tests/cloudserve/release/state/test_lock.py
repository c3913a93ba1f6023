"""The lock: one holder, taken over only when it is safe."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cloudserve.adapters.directory.storage import DirectoryBlobs

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.release.state.lock import ALIVE, LEASE, RENEWALS, Lease, birth, lock, machine

KEY = "lock.json"


def held(blobs, **changes):
    lease = Lease("r", "bob", "elsewhere", 1, "", datetime.now(UTC) + timedelta(hours=1), "m")
    blobs.write(KEY, msgspec.json.encode(msgspec.structs.replace(lease, **changes)))


def take(blobs):
    return lock(blobs, KEY, release="r2", who="ada")


def test_it_is_gone_when_the_release_ends_even_by_an_error(platform):
    def release():
        with take(platform.blobs):
            assert platform.blobs.read(KEY)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        release()
    assert platform.blobs.read(KEY) is None


def test_a_lock_of_another_host_holds(platform):
    held(platform.blobs)
    with pytest.raises(ConflictError, match="bob, process 1") as caught, take(platform.blobs):
        pass
    assert "its lock ends by itself at" in str(caught.value.hint)


def test_a_lock_whose_time_is_up_is_taken_over(platform):
    held(platform.blobs, expires=datetime.now(UTC) - timedelta(seconds=1))
    with take(platform.blobs):
        assert b"ada" in platform.blobs.read(KEY)[0]


def test_a_lock_that_is_no_lock_is_taken_over(platform):
    platform.blobs.write(KEY, b"garbage")
    with take(platform.blobs):
        assert b"ada" in platform.blobs.read(KEY)[0]


@pytest.fixture
def killed(platform):
    """Give a lease of a process of this machine that is killed, and what kills it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    lease = {
        "host": os.uname().nodename,
        "pid": process.pid,
        "boot": birth(process.pid),
        "machine": machine(),
    }

    def kill():
        process.kill()
        process.communicate()

    yield lease, kill
    kill()


def test_a_lock_left_by_a_killed_process_of_this_host_is_taken_over(platform, killed):
    lease, kill = killed
    held(platform.blobs, **lease)
    with pytest.raises(ConflictError), take(platform.blobs):
        pass
    kill()
    with take(platform.blobs):
        assert b"ada" in platform.blobs.read(KEY)[0]


def test_a_lock_of_a_killed_process_that_nobody_waited_for_is_taken_over(platform):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        lease = {"host": os.uname().nodename, "pid": process.pid, "machine": machine()}
        held(platform.blobs, **lease, boot=birth(process.pid))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still there
        with take(platform.blobs):
            assert b"ada" in platform.blobs.read(KEY)[0]


def test_a_lock_of_a_later_process_with_the_same_number_is_taken_over(platform, killed):
    lease, _ = killed
    held(platform.blobs, **{**lease, "boot": "1"})
    with take(platform.blobs):
        assert b"ada" in platform.blobs.read(KEY)[0]


def test_a_lock_of_a_process_that_is_hidden_from_this_user_holds(platform, killed, monkeypatch):
    lease, _ = killed
    held(platform.blobs, **lease)
    monkeypatch.setattr("cloudserve.release.state.lock.birth", lambda pid: ALIVE)
    with pytest.raises(ConflictError), take(platform.blobs):
        pass


def test_a_lock_of_another_container_with_the_same_host_name_holds(platform, killed):
    lease, kill = killed
    held(platform.blobs, **{**lease, "machine": "another boot"})
    kill()
    with pytest.raises(ConflictError), take(platform.blobs):
        pass


def test_a_lock_that_was_written_when_ctrl_c_came_is_not_left(platform):
    write = platform.blobs.write

    def interrupted(*arguments):
        write(*arguments)
        raise KeyboardInterrupt

    platform.blobs.write = interrupted
    with pytest.raises(KeyboardInterrupt), take(platform.blobs):
        pass
    assert platform.blobs.read(KEY) is None


def test_a_lock_released_during_the_attempt_has_an_error_of_its_own(platform):
    def lost(*arguments):
        raise ConflictError("is there")

    platform.blobs.write = lost
    with pytest.raises(ConflictError, match="it has just ended") as caught, take(platform.blobs):
        pass
    assert caught.value.hint == "run the same command again"


def test_of_two_runs_that_find_no_lock_the_second_names_the_first(platform):
    read = platform.blobs.read

    def nothing_yet(key):
        held(platform.blobs)
        platform.blobs.read = read

    platform.blobs.read = nothing_yet
    with pytest.raises(ConflictError, match="bob, process 1"), take(platform.blobs):
        pass


def test_a_lock_that_was_taken_over_is_not_deleted_by_its_first_holder(platform):
    with take(platform.blobs):
        held(platform.blobs)
    assert platform.blobs.read(KEY)


# A lease: renewed while the release runs, and lost by a holder that was suspended too long.


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.time

    def pass_by(self, duration):
        self.time += duration


@pytest.fixture
def clock():
    return Clock()


def expiry(platform):
    return msgspec.json.decode(platform.blobs.read(KEY)[0], type=Lease).expires


def test_a_lease_that_is_not_new_any_more_is_renewed_before_an_action(platform, clock):
    with lock(platform.blobs, KEY, release="r", who="ada", clock=clock) as held:
        held.check()
        assert expiry(platform) == clock() + LEASE
        clock.pass_by(LEASE / 2)
        held.check()
        assert expiry(platform) == clock() + LEASE


def test_a_renewed_lease_outlives_its_first_term(platform, clock):
    with lock(platform.blobs, KEY, release="r", who="ada", clock=clock) as held:
        for _ in range(3 * RENEWALS):
            clock.pass_by(LEASE / RENEWALS)
            held.renew()
        with (
            pytest.raises(ConflictError, match="ada"),
            lock(platform.blobs, KEY, release="r2", who="bob", clock=clock),
        ):
            pass


def test_a_holder_that_lost_its_lock_may_not_act(platform, clock):
    with lock(platform.blobs, KEY, release="r", who="ada", clock=clock) as first:
        clock.pass_by(2 * LEASE)
        with lock(platform.blobs, KEY, release="r2", who="bob", clock=clock) as second:
            with pytest.raises(ConflictError, match=r"has lost its lock.*bob, process") as caught:
                first.check()
            assert caught.value.hint
            second.check()
        with pytest.raises(ConflictError, match="it is gone"):
            first.check()


def test_a_lock_that_is_taken_by_force_is_noticed_before_the_next_action(platform):
    with take(platform.blobs) as ours:
        held(platform.blobs)
        with pytest.raises(ConflictError, match=r"has lost its lock.*bob, process 1"):
            ours.check()


def test_a_holder_with_an_expired_free_lock_renews_it(platform, clock):
    with lock(platform.blobs, KEY, release="r", who="ada", clock=clock) as held:
        clock.pass_by(2 * LEASE)
        held.check()
        assert expiry(platform) == clock() + LEASE


def test_a_bucket_that_cannot_be_asked_stops_a_release_only_when_its_lease_has_ended(
    platform, clock, caplog
):
    def down(key):
        raise RemoteError("the network is down")

    with lock(platform.blobs, KEY, release="r", who="ada", clock=clock) as held:
        platform.blobs.before_write = down
        clock.pass_by(LEASE / 2)
        held.check()
        assert "could not be read: the network is down" in caplog.text
        clock.pass_by(LEASE)
        with pytest.raises(RemoteError):
            held.check()


def test_a_write_whose_answer_was_lost_and_that_was_sent_again_is_our_own(platform, clock):
    write = platform.blobs.write

    def sent_twice(*arguments):
        platform.blobs.write = write
        write(*arguments)
        return write(*arguments)

    platform.blobs.write = sent_twice
    with lock(platform.blobs, KEY, release="r", who="ada", clock=clock) as held:
        assert platform.blobs.write == write
        platform.blobs.write = sent_twice
        held.renew()
        held.check()
    assert platform.blobs.read(KEY) is None


def test_a_lease_that_ended_is_left_for_whoever_takes_it(platform, clock):
    with lock(platform.blobs, KEY, release="r", who="ada", clock=clock):
        clock.pass_by(2 * LEASE)
    assert platform.blobs.read(KEY)
    with lock(platform.blobs, KEY, release="r2", who="bob", clock=clock):
        pass
    assert platform.blobs.read(KEY) is None


def test_a_lock_is_renewed_while_an_action_takes_its_time(platform):
    writes = threading.Semaphore(0)
    platform.blobs.before_write = lambda key: writes.release()
    with lock(platform.blobs, KEY, release="r", who="ada", term=timedelta(milliseconds=50)):
        for _ in range(4):
            assert writes.acquire(timeout=60)


def test_a_renewal_that_fails_is_tried_again(platform, caplog):
    tries = threading.Semaphore(0)
    with lock(platform.blobs, KEY, release="r", who="ada", term=timedelta(milliseconds=50)):

        def down(key):
            tries.release()
            raise RemoteError("the network is down")

        platform.blobs.before_write = down
        for _ in range(2):
            assert tries.acquire(timeout=60)
        platform.blobs.before_write = lambda key: None
    assert "could not be renewed: the network is down" in caplog.text


HOLDER = """
import sys
from datetime import timedelta
from pathlib import Path
from cloudserve.adapters.directory.storage import DirectoryBlobs
from cloudserve.adapters.directory.storage import DirectoryBlobs
from cloudserve.errors import ConflictError, RemoteError
from cloudserve.release.state.lock import lock

blobs = DirectoryBlobs(Path(sys.argv[1]))
with lock(blobs, "lock.json", release="r", who="bob", term=timedelta(seconds=1)) as held:
    print("held", flush=True)
    input()
    try:
        held.check()
    except ConflictError as error:
        print(error, flush=True)
"""


@pytest.fixture
def holder(tmp_path):
    """Give a bucket whose lock another process holds, and the process."""
    blobs = DirectoryBlobs(tmp_path)
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield blobs, process
        finally:
            process.kill()


def much_later():
    return datetime.now(UTC) + timedelta(hours=1)


def test_a_process_that_was_suspended_notices_that_another_took_its_lock(holder):
    blobs, process = holder
    process.send_signal(signal.SIGSTOP)
    with lock(blobs, KEY, release="r2", who="ada", clock=much_later):
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate("\n", timeout=60)
        assert out.startswith("this release has lost its lock: another release has taken")
        assert "ada" in out
        assert b"ada" in blobs.read(KEY)[0]


def test_a_killed_process_holds_its_lock_on_other_machines_until_its_lease_ends(
    holder, monkeypatch
):
    blobs, process = holder
    process.kill()
    process.wait()
    monkeypatch.setattr("cloudserve.release.state.lock.machine", lambda: "another")
    with (
        pytest.raises(ConflictError, match="bob, process"),
        lock(blobs, KEY, release="r2", who="ada", clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)),
    ):
        pass
    with lock(blobs, KEY, release="r2", who="ada", clock=much_later):
        assert b"ada" in blobs.read(KEY)[0]
