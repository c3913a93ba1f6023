"""Tapes: one reading, kept and repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError
from cloudserve.known.sealing import Sealed, seal
from cloudserve.known.tape import LIVE, Recorder, Recording


def test_a_tape_asks_each_time_and_a_recorder_once():
    asked = []

    def fetch():
        asked.append(1)
        return len(asked)

    assert (LIVE.ask("q", fetch), LIVE.ask("q", fetch)) == (1, 2)
    recorder = Recorder()
    assert (recorder.ask("q", fetch), recorder.ask("q", fetch)) == (3, 3)
    recording = Recording(recorder.since, recorder.answers)
    assert recording.ask("q", fetch) == 3
    with pytest.raises(UserError, match="it was not read then"):
        recording.ask("other", fetch)
    assert len(asked) == 3


def test_changes_need_a_tape_that_asks_each_time():
    LIVE.check_change()
    with pytest.raises(UserError, match="with a tape that repeats its answers"):
        Recorder().check_change()
    with pytest.raises(UserError, match="nothing is changed with --offline"):
        Recording(Recorder().since, {}).check_change()


def test_a_question_that_failed_is_asked_again():
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError):
        recorder.ask("q", lambda: 1 // 0)
    assert recorder.ask("q", lambda: 1) == 1


@given(st.dictionaries(st.text(), st.text()), st.binary(min_size=1))
def test_sealed_environments_equal_what_they_were_made_of_and_nothing_else(env, salt):
    listed = [{"name": name, "value": value} for name, value in env.items()]
    answer = seal(
        {"PrimaryContainer": {"Environment": env}, "containerSpec": {"env": listed}}, salt
    )
    assert answer["PrimaryContainer"]["Environment"] == env
    assert answer["containerSpec"]["env"] == listed
    for name, value in answer["PrimaryContainer"]["Environment"].items():
        assert isinstance(value, Sealed)
        assert value != f"{env[name]}x"
        assert not env[name] or env[name] not in str(value) or env[name] in "(not kept)"
