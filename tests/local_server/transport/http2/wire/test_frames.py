"""Frames against hyperframe, an implementation of its own: both ways, in any pieces."""

import pytest
from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.errors import ConnectionFault, ErrorCode
from cloudserve.local_server.transport.http2.wire.frames import FrameCursor, FrameReader
from cloudserve.local_server.transport.http2.wire.settings import (
    Setting,
    read_settings,
    settings_frame,
)
from hyperframe import frame as oracle
from hypothesis import given
from hypothesis import strategies as st

STREAM = st.integers(1, 2**31 - 1)
CONTENT = st.binary(max_size=200)
PADDING = st.integers(0, 255)


@st.composite
def padded(draw, kind):
    made = kind(draw(STREAM), draw(CONTENT))
    if draw(st.booleans()):
        made.flags.add("PADDED")
        made.pad_length = draw(PADDING)
    return made


@st.composite
def headers(draw):
    made = draw(padded(oracle.HeadersFrame))
    if draw(st.booleans()):
        made.flags.add("PRIORITY")
        made.depends_on, made.stream_weight = draw(st.integers(0, 2**31 - 1)), draw(PADDING)
    return made


def settings():
    codes = st.sampled_from([1, 3, 6])
    pairs = st.dictionaries(codes, st.integers(0, 2**32 - 1), max_size=3)
    return pairs.map(lambda values: oracle.SettingsFrame(0, values))


ANY_FRAME = st.one_of(
    padded(oracle.DataFrame),
    headers(),
    settings(),
    st.builds(oracle.PingFrame, st.just(0), st.binary(min_size=8, max_size=8)),
    st.builds(oracle.RstStreamFrame, STREAM, st.integers(0, 13)),
    st.builds(oracle.WindowUpdateFrame, STREAM, st.integers(1, 2**31 - 1)),
    st.builds(oracle.ContinuationFrame, STREAM, CONTENT),
)


def pieces(data, sizes):
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


@given(st.lists(ANY_FRAME, max_size=8), st.lists(st.integers(0, 60), max_size=30))
def test_frames_are_read_as_they_were_written_whatever_the_pieces(made, sizes):
    data = b"".join(each.serialize() for each in made)
    reader = FrameReader()
    read = [each for piece in pieces(data, sizes) for each in reader.feed(piece)]
    written = [each.serialize() for each in made]
    assert [frames.frame(*each) for each in read] == written
    assert [(kind, number) for kind, _, number, _ in read] == [(e.type, e.stream_id) for e in made]
    assert moved(data, sizes) == written


def moved(data, sizes):
    """Return the frames that a cursor reads from pieces."""
    cursor, read = FrameCursor(), []
    for piece in pieces(data, sizes):
        cursor.push(piece)
        while (each := cursor.next()) is not None:
            read.append(frames.frame(*each))
    return read


@given(padded(oracle.DataFrame))
def test_padding_is_taken_off(made):
    ((_, flags, _, payload),) = FrameReader().feed(made.serialize())
    assert frames.unpad(flags, payload) == made.data


@given(headers())
def test_padding_and_priority_are_taken_off_a_header_block(made):
    ((_, flags, _, payload),) = FrameReader().feed(made.serialize())
    assert frames.header_fragment(flags, payload) == made.data


def parse(data):
    made, length = oracle.Frame.parse_frame_header(memoryview(data)[:9])
    made.parse_body(memoryview(data)[9 : 9 + length])
    assert len(data) == 9 + length
    return made


@given(STREAM, CONTENT)
def test_written_frames_are_read_by_hyperframe(number, content):
    data = parse(frames.frame(frames.DATA, frames.END_STREAM, number, content))
    assert (data.stream_id, data.data, set(data.flags)) == (number, content, {"END_STREAM"})
    reset = parse(frames.rst_stream(number, ErrorCode.CANCEL))
    assert (reset.stream_id, reset.error_code) == (number, 8)
    update = parse(frames.window_update(number, number))
    assert update.window_increment == number
    away = parse(frames.goaway(number, ErrorCode.ENHANCE_YOUR_CALM, "why"))
    assert (away.last_stream_id, away.error_code, away.additional_data) == (number, 11, b"why")
    ping = parse(frames.ping(b"12345678", ack=True))
    assert (ping.opaque_data, set(ping.flags)) == (b"12345678", {"ACK"})


@given(STREAM, st.binary(max_size=300), st.booleans(), st.integers(1, 100))
def test_a_header_block_larger_than_a_frame_is_continued(number, block, end, size):
    read = list(FrameReader().feed(frames.header_frames(number, block, end=end, max_size=size)))
    assert [kind for kind, _, _, _ in read] == [frames.HEADERS] + [frames.CONTINUATION] * (
        len(read) - 1
    )
    assert b"".join(payload for _, _, _, payload in read) == block
    assert [bool(flags & frames.END_HEADERS) for _, flags, _, _ in read] == [False] * (
        len(read) - 1
    ) + [True]
    assert bool(read[0][1] & frames.END_STREAM) == end
    assert all(len(payload) <= size and n == number for _, _, n, payload in read)


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_any_bytes_are_frames_or_refused(parts):
    reader = FrameReader()
    try:
        for part in parts:
            for kind, flags, _, payload in reader.feed(part):
                if kind == frames.HEADERS:
                    frames.header_fragment(flags, payload)
                elif kind == frames.SETTINGS:
                    read_settings(payload)
    except ConnectionFault as fault:
        assert fault.code in {
            ErrorCode.FRAME_SIZE_ERROR,
            ErrorCode.PROTOCOL_ERROR,
            ErrorCode.FLOW_CONTROL_ERROR,
        }


def test_a_frame_that_is_too_large_is_refused_by_its_head_after_those_before_it():
    data = frames.frame(frames.DATA, 0, 1, b"x" * 100) + frames.head(frames.DATA, 0, 1, 101)
    read = FrameReader(100).feed(data)
    assert next(read) == (frames.DATA, 0, 1, b"x" * 100)
    with pytest.raises(ConnectionFault, match="a frame of 101 bytes"):
        next(read)
    cursor = FrameCursor(100)
    cursor.push(data)
    assert cursor.next() == (frames.DATA, 0, 1, b"x" * 100)
    with pytest.raises(ConnectionFault, match="a frame of 101 bytes"):
        cursor.next()


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\0\2\0\0\0\2", ErrorCode.PROTOCOL_ERROR),
        (b"\0\4\x80\0\0\0", ErrorCode.FLOW_CONTROL_ERROR),
        (b"\0\5\0\0\x3f\xff", ErrorCode.PROTOCOL_ERROR),
        (b"\0\5\1\0\0\0", ErrorCode.PROTOCOL_ERROR),
        (b"\0\5\0", ErrorCode.FRAME_SIZE_ERROR),
    ],
)
def test_invalid_settings_are_refused(payload, code):
    with pytest.raises(ConnectionFault) as caught:
        read_settings(payload)
    assert caught.value.code is code


def test_settings_are_read_in_their_order_and_unknown_ones_too():
    ours = parse(settings_frame({Setting.MAX_FRAME_SIZE: 20000, Setting.INITIAL_WINDOW_SIZE: 7}))
    assert ours.settings == {5: 20000, 4: 7}
    assert list(read_settings(b"\0\4\0\0\0\1\0\4\0\0\0\2\x99\x99\0\0\0\3")) == [
        (4, 1),
        (4, 2),
        (0x9999, 3),
    ]
