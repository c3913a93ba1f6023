"""One call without a transport: what is sent where the client does not hear it, or hears its own.

A client whose deadline passes tells itself so, whatever the server sends; what the server sends
then is seen here.
"""

import asyncio

import pytest
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc.call import answer, cut_text
from cloudserve.local_server.transport.grpc_types import Call, Method
from google.protobuf.message import EncodeError
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given, settings
from hypothesis import strategies as st

BODY = StringValue(value="x").SerializeToString()
LATE = (Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")


def refused(handle, seconds=None, body=BODY):
    async def main():
        return await answer(Method(StringValue, handle), Call("/s/M", (), seconds), body)

    with pytest.raises(StatusError) as caught:
        asyncio.run(main())
    return caught.value.code, caught.value.message


async def never(call, request):
    await asyncio.Event().wait()


def test_past_its_deadline_a_call_is_answered_as_tensorflows_session_does():
    assert refused(never, 0.01) == LATE


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_call_whose_deadline_is_over_when_it_comes_is_answered_so(seconds):
    assert refused(never, seconds) == LATE


def test_a_timeout_of_the_handlers_own_is_not_the_clients_deadline(caplog):
    async def times_out(call, request):
        raise TimeoutError

    code, text = refused(times_out, 60.0)
    assert (code, text) == (Code.INTERNAL, "the server failed; its log says why")
    assert "/s/M failed" in caplog.text


def test_a_large_message_is_read_and_written_off_the_loop():
    text = "x" * 2**21

    async def echo(call, request):
        return request

    async def main():
        body = StringValue(value=text).SerializeToString()
        return await answer(Method(StringValue, echo), Call("/s/M"), body)

    assert StringValue.FromString(asyncio.run(main())).value == text


class TooLarge:
    """Stands for a response of more than 2 GiB, of which protobuf does not even tell the size."""

    def ByteSize(self):  # noqa: N802  protobuf's name
        raise EncodeError("Failed to serialize proto")


def test_a_response_larger_than_a_message_may_be_is_reported():
    async def much(call, request):
        return TooLarge()

    text = "the response is larger than a message may be, 2 GiB"
    assert refused(much) == (Code.RESOURCE_EXHAUSTED, text)


@settings(max_examples=30)
@given(st.text(max_size=700))
def test_a_cut_text_is_a_start_of_the_text_in_at_most_1024_bytes(text):
    cut = cut_text(text * 3)
    start = cut.removesuffix("...TRUNCATED")
    assert (text * 3).startswith(start)
    assert len(start.encode()) <= 1024
    assert (cut == start) == (len(text.encode()) * 3 <= 1024)
