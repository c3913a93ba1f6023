"""Golden requests are recorded from a real served model, and sent again."""

from __future__ import annotations

import socket
import threading

import pytest

from cloudserve.errors import ModelError, UnreachableError, UserError
from cloudserve.golden.ask import ask_url, served_locally
from cloudserve.golden.file import Example, Golden, Header, Tolerance
from cloudserve.golden.replay import record, replay, trim
from cloudserve.golden.subject import asking

REQUESTS = [{"instances": [1.0, 5.0]}, {"instances": [-2.0]}]


@pytest.fixture(scope="module")
def two(shared_models):
    """Give what asks a real model that answers x/2 + 2."""
    with served_locally(shared_models / "tfs_half_plus_two_cpu" / "123") as ask:
        yield ask


@pytest.fixture(scope="module")
def three(shared_models):
    """Give what asks a real model that answers x/2 + 3."""
    with served_locally(shared_models / "tfs_half_plus_three" / "123") as ask:
        yield ask


@pytest.fixture(scope="module")
def golden(two):
    return record(REQUESTS, two, Header(source="half"))


def test_answers_are_recorded(golden):
    assert [one.answer for one in golden.examples] == [
        {"predictions": [2.5, 4.5]},
        {"predictions": [1.0]},
    ]
    assert golden.header.recorded is not None


def test_the_same_model_answers_alike(golden, two):
    result = replay(golden, two)
    assert (result.requests, result.differing, result.ulp) == (2, 0, 0)
    assert result.findings == ()


def test_another_model_differs_by_a_measured_distance(golden, three):
    result = replay(golden, three)
    assert result.differing == 2
    (output,) = result.deviations
    assert (output.values, output.outside, output.absolute) == (3, 3, 1.0)
    assert result.findings[0].endswith("request 1, predictions[0]: 3.5 instead of 2.5")


def test_a_tolerance_lets_a_difference_pass(golden, three):
    wide = Golden(Header(tolerance=Tolerance(absolute=1.0)), golden.examples)
    assert replay(wide, three).differing == 0


def test_labels_are_counted(two):
    examples = (Example({"instances": [1.0, 5.0]}, labels=[2.5, 4.0]),)
    result = replay(Golden(Header(), examples), two)
    assert (result.labels, result.right, result.accuracy) == (2, 1, 0.5)


def test_a_refused_request_is_a_difference(two):
    example = Example({"instances": ["text"]}, {"predictions": [1.0]})
    result = replay(Golden(Header(), (example,)), two)
    assert result.differing == 1
    assert result.errors[0].startswith("request 1: HTTP 400: ")


def test_a_request_that_is_not_answered_is_not_recorded(two):
    with pytest.raises(UserError, match=r"^request 2 is not answered: HTTP 400: "):
        record([REQUESTS[0], {"instances": ["text"]}], two, Header())


def test_a_server_that_does_not_answer_is_not_a_difference(golden):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/models/m"
    with pytest.raises(UnreachableError, match="the server does not answer"):
        replay(golden, ask_url(url))


@pytest.mark.parametrize(
    "answer", [b"no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]
)
def test_a_server_of_another_protocol_does_not_answer(golden, answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reply():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/models/m"
        with pytest.raises(UnreachableError, match="the server does not answer"):
            replay(golden, ask_url(url))
        thread.join()


@pytest.mark.parametrize("url", ["http://[/v1/models/m", "http://a b/v1/models/m"])
def test_a_url_that_cannot_be_used_does_not_answer(golden, url):
    with pytest.raises(UnreachableError, match="the server does not answer"):
        replay(golden, ask_url(url))


def test_a_model_that_does_not_load_is_a_model_error(shared_models):
    pusher = next((shared_models / "tfx_pusher").iterdir())
    with pytest.raises(ModelError), served_locally(pusher):
        pass


def test_a_trimmed_file_keeps_the_first_examples(golden):
    assert trim(golden, 1).examples == golden.examples[:1]
    assert trim(golden, 9).examples == golden.examples


def test_a_subject_that_is_nothing_names_the_forms():
    with pytest.raises(UserError, match="there is no directory `nothing`"), asking("nothing"):
        pass
