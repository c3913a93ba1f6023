"""Requests to both revisions, and the file that they are read from."""

import pytest

from cloudserve.errors import RemoteError, UserError
from cloudserve.release.canary.probe import Prober, read_requests


def prober(requests, *, failing=()):
    def ask(body, revision):
        requests.append((body, revision))
        if revision in failing:
            raise RemoteError("500: no memory")
        return b"{}"

    ticks = iter(range(1000))
    return Prober(ask, "v1", "v2", [b"a", b"b"], lambda: float(next(ticks)))


def test_each_request_is_sent_to_both_revisions_each_first_in_turns():
    requests = []
    probing = prober(requests)
    for _ in range(3):
        probing.probe()
    assert requests == [
        (b"a", "v1"),
        (b"a", "v2"),
        (b"b", "v2"),
        (b"b", "v1"),
        (b"a", "v1"),
        (b"a", "v2"),
    ]


def test_a_failure_is_an_answer_with_its_text():
    _, live, canary = prober([], failing={"v2"}).probe()
    assert (live.error, canary.error) == ("", "500: no memory")
    assert live.seconds == canary.seconds == 1.0


def test_requests_that_the_live_revision_refuses_are_an_error():
    with pytest.raises(UserError) as caught:
        prober([], failing={"v1"}).check()
    assert str(caught.value) == "the live revision v1 fails for request 1: 500: no memory"


def test_a_canary_that_fails_at_once_is_left_to_the_evidence():
    requests = []
    prober(requests, failing={"v2"}).check()
    assert requests == [(b"a", "v1"), (b"b", "v1"), (b"a", "v2")]


def test_the_file_has_a_request_on_each_line(tmp_path):
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b'{"instances": [1]}\n\n  \n{"instances": [2]}')
    assert read_requests(path) == (b'{"instances": [1]}', b'{"instances": [2]}')


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b'{"instances": [1]}\n{"instances"', ":2", "the request is not JSON: "),
        (b"\xff\n", ":1", "the request is not JSON: "),
        (b"[1, 2]\n", ":1", "the request is not a JSON object"),
        (b"\n\n", "", "the file has no requests"),
    ],
)
def test_a_file_without_requests_is_refused_by_line(tmp_path, text, line, problem):
    path = tmp_path / "requests.jsonl"
    path.write_bytes(text)
    with pytest.raises(UserError, match=problem) as caught:
        read_requests(path)
    assert caught.value.where == f"{path}{line}"


def test_a_file_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(UserError, match="the requests cannot be read: No such file"):
        read_requests(tmp_path / "none")
