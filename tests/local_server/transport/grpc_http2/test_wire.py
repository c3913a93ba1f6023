"""What gRPC writes into header fields, and messages in a body: read and written exactly."""

import base64
import zlib
from urllib.parse import unquote_to_bytes

import pytest
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc_http2.limits import MessageLimits, read_arguments
from cloudserve.local_server.transport.grpc_http2.messages import (
    MessageReader,
    check_encoding,
    inflate,
)
from cloudserve.local_server.transport.grpc_http2.wire import (
    escape,
    read_metadata,
    read_timeout,
    status_only,
)
from cloudserve.local_server.transport.grpc_types import prefix
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

MANY = 2**20


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(b"1H", 3600), (b"2M", 120), (b"3S", 3), (b"4m", 0.004), (b"5u", 5e-6), (b"99999999n", 0.1)],
)
def test_a_timeout_has_a_unit(text, seconds):
    assert read_timeout(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [b"", b"1", b"S", b"-1S", b"1.5S", b"123456789S", b"1s", b"1S "])
def test_an_invalid_timeout_is_refused(text):
    with pytest.raises(StatusError) as caught:
        read_timeout(text)
    assert caught.value.code is Code.INVALID_ARGUMENT


@given(st.text(max_size=50))
def test_a_status_message_is_printable_ascii_and_reads_back(text):
    sent = escape(text)
    assert all(0x20 <= byte <= 0x7E for byte in sent)
    assert unquote_to_bytes(sent) == text.encode("utf-8", "replace")


def test_a_call_without_a_message_has_one_header_block():
    fields = Decoder().decode(status_only(Code.NOT_FOUND, "no\n"), raw=True)
    assert [tuple(field) for field in fields] == [
        (b":status", b"200"),
        (b"content-type", b"application/grpc"),
        (b"grpc-accept-encoding", b"identity, deflate, gzip"),
        (b"grpc-status", b"5"),
        (b"grpc-message", b"no%0A"),
    ]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=3), st.booleans())
def test_binary_values_are_base64_with_or_without_padding(values, pads):
    words = [base64.b64encode(value) for value in values]
    sent = b",".join(words if pads else [word.rstrip(b"=") for word in words])
    assert read_metadata([(b"k-bin", sent)]) == tuple(("k-bin", value) for value in values)


def test_fields_of_the_transport_are_not_metadata():
    fields = [(b"te", b"trailers"), (b"grpc-timeout", b"1S"), (b"user-agent", b"x"), (b"k", b"1")]
    assert read_metadata(fields) == (("user-agent", "x"), ("k", "1"))
    with pytest.raises(StatusError, match="the value of k-bin is not base64"):
        read_metadata([(b"k-bin", b"!!")])


@given(st.lists(st.binary(max_size=50), max_size=6), st.lists(st.integers(0, 30), max_size=30))
def test_messages_are_read_as_they_were_written_whatever_the_pieces(messages, sizes):
    body = b"".join(prefix(len(message)) + message for message in messages)
    reader, read, at = MessageReader(MANY), [], 0
    for size in [*sizes, len(body)]:
        reader.feed(body[at : at + size])
        at += size
        while (message := reader.next()) is not None:
            read.append(message)
    assert read == [(False, message) for message in messages]
    assert reader.is_empty


@given(st.binary(max_size=40), st.lists(st.integers(0, 8), max_size=8))
def test_any_bytes_are_messages_or_refused(body, sizes):
    reader, at = MessageReader(100), 0
    try:
        for size in [*sizes, len(body)]:
            reader.feed(body[at : at + size])
            at += size
            while reader.next() is not None:
                pass
    except StatusError as error:
        assert error.code in {Code.INTERNAL, Code.RESOURCE_EXHAUSTED}


def test_a_message_that_is_too_large_is_refused_by_its_prefix():
    reader = MessageReader(10)
    reader.feed(prefix(11))
    with pytest.raises(StatusError) as caught:
        reader.next()
    assert caught.value.message == "Received message larger than max (11 vs. 10)"
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def gzipped(data):
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


@given(st.binary(max_size=1000))
def test_a_compressed_message_is_inflated(data):
    assert inflate(b"gzip", gzipped(data), 1000) == data
    assert inflate(b"deflate", zlib.compress(data), 1000) == data


def test_a_compressed_message_is_inflated_to_the_limit_and_no_further():
    assert inflate(b"gzip", gzipped(b"x" * 100), 100) == b"x" * 100
    with pytest.raises(StatusError, match="Decompressed message larger than max") as caught:
        inflate(b"gzip", gzipped(b"x" * 101), 100)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("data", [b"", b"plain", gzipped(b"x")[:-1], gzipped(b"x") + b"y"])
def test_a_message_that_is_not_compressed_as_announced_is_refused(data):
    with pytest.raises(StatusError, match="a message is not gzip as announced"):
        inflate(b"gzip", data, 100)


def test_known_encodings():
    for name in (b"identity", b"gzip", b"deflate"):
        check_encoding(name)
    with pytest.raises(StatusError) as caught:
        check_encoding(b"snappy")
    assert caught.value.code is Code.UNIMPLEMENTED
    with pytest.raises(StatusError, match="without grpc-encoding"):
        inflate(b"identity", b"", 100)


def test_channel_arguments_of_grpcio_set_the_limits_they_name(caplog):
    limits, messages = read_arguments(
        {
            "grpc.max_receive_message_length": -1,
            "grpc.max_send_message_length": 10,
            "grpc.max_concurrent_streams": 7,
            "grpc.keepalive_time_ms": 1500,
            "grpc.so_reuseport": 0,
        }
    )
    assert messages == MessageLimits(2**31 - 1, 10)
    assert (limits.streams, limits.keepalive_seconds) == (7, 1.5)
    assert "without effect on the native gRPC transport: grpc.so_reuseport" in caplog.text
