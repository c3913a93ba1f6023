"""The lock: one holder, taken over only when it is safe."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from cloudserve.errors import ConflictError
from cloudserve.release import lock as locks
from cloudserve.release.lock import Lease, lock

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
        "boot": locks._boot(process.pid),
        "machine": locks._machine(),
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


def test_a_holder_that_ended_in_between_is_told_so(platform):
    def lost(*arguments):
        raise ConflictError("is there")

    platform.blobs.write = lost
    with pytest.raises(ConflictError, match="it has just ended") as caught, take(platform.blobs):
        pass
    assert caught.value.hint == "run the same command again"


def test_of_two_who_find_no_lock_the_second_is_told_of_the_first(platform):
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
