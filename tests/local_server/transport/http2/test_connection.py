"""One connection with h2's client: requests, answers, windows, the end."""

import h2.events
import h2.settings
import pytest
from cloudserve.local_server.transport.http2.frame_handler import FrameHandler
from cloudserve.local_server.transport.http2.limits import Rate
from cloudserve.local_server.transport.http2.wire import frames
from h2.errors import ErrorCodes
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from .h2_client import REQUEST
from .raw_client import RawClient

Setting = h2.settings.SettingCodes


# Requests and answers.


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_536, 3_000_000])
def test_a_body_is_echoed(serve, size):
    client = serve().connect()
    body = bytes(range(256)) * (size // 256 + 1)
    assert client.answer(client.request(body[:size])) == body[:size]


def test_requests_of_one_connection_are_concurrent(serve):
    client = serve().connect()
    numbers = [client.request(b"%d" % n * 100) for n in range(50)]
    assert [client.answer(n) for n in reversed(numbers)] == [
        b"%d" % n * 100 for n in range(49, -1, -1)
    ]


def test_trailers_follow_the_body(serve):
    client = serve().connect()
    number = client.request(b"x")
    client.answer(number)
    assert client.until(h2.events.TrailersReceived, number).headers == [("done", "yes")]


def test_a_request_with_trailers_is_complete_with_them(serve):
    client = serve().connect()
    number = client.request(b"body", end=False)
    client.h2.send_headers(number, [("x-end", "1")], end_stream=True)
    client.flush()
    assert client.answer(number) == b"body"


def test_padding_is_not_part_of_a_body_and_its_window_is_given_back(serve):
    served = serve(stream_window=65_536)
    client = served.connect()
    number = client.request(b"x" * 200_000, pad_length=255)
    assert client.answer(number) == b"x" * 200_000


def test_a_header_block_may_be_continued(serve):
    served = serve()
    client = served.connect()
    number = client.request(b"x", fields=[("k", "v" * 14_000), ("l", "w" * 20_000)])
    assert client.answer(number) == b"x"
    assert dict(served.app.requests[number].head.fields)[b"l"] == b"w" * 20_000


def test_priority_and_unknown_frames_are_ignored(serve):
    client = serve().connect()
    client.h2.prioritize(1, weight=5)
    client.send_raw(frames.frame(0x42, 0xFF, 1, b"what"))
    number = client.request(b"x", end=False)
    client.h2.prioritize(number, weight=5)
    client.h2.end_stream(number)
    client.flush()
    assert client.answer(number) == b"x"


def test_an_answer_before_the_end_of_its_request_asks_to_send_no_more(serve):
    served = serve()
    served.app.refuses = True
    client = served.connect()
    number = client.request(b"x", end=False)
    answer = client.until(h2.events.ResponseReceived, number)
    assert answer.headers == [(":status", "403")]
    client.send_raw(frames.frame(frames.DATA, 0, number, b"more"))
    reset = client.until(h2.events.StreamReset, number)
    assert reset.error_code == ErrorCodes.NO_ERROR
    # Frames in transit are ignored.
    client.send_raw(frames.frame(frames.DATA, frames.END_STREAM, number, b"late"))
    served.app.refuses = False
    assert client.answer(client.request(b"next")) == b"next"


def test_a_reset_request_is_reported_to_the_application(serve):
    served = serve()
    served.app.holds = True
    client = served.connect()
    number = client.request(b"x")
    client.h2.reset_stream(number)
    client.h2.ping(b"12345678")
    client.flush()
    client.until(h2.events.PingAckReceived)  # the frames before it are handled
    served.app.holds = False
    assert client.answer(client.request(b"next")) == b"next"
    assert served.app.aborted == [number]
    served.call(served.app.requests[number].answer)  # to nobody


def test_a_lost_connection_is_reported_to_the_application(serve):
    served = serve()
    served.app.holds = True
    client = served.connect()
    number = client.request(b"x")
    client.request(b"y", end=False)
    client.until(h2.events.SettingsAcknowledged)
    client.socket.close()
    served.do(served.state.quiet())
    assert served.app.aborted[:1] == [number]


def test_a_ping_is_answered(serve):
    client = serve().connect()
    client.h2.ping(b"12345678")
    client.flush()
    assert client.until(h2.events.PingAckReceived).ping_data == b"12345678"


def test_many_frames_are_handled_in_several_turns_of_the_loop(serve, monkeypatch):
    turns = []
    take_more = FrameHandler.take_more

    def counted(handler):
        turns.append(handler)
        return take_more(handler)

    monkeypatch.setattr(FrameHandler, "take_more", counted)
    raw = RawClient(serve(pings=Rate(10**6, 1.0)))
    sent = [n.to_bytes(8, "big") for n in range(5000)]
    raw.send(b"".join(frames.ping(payload) for payload in sent))
    raw.until(frames.PING, nth=len(sent))
    assert [payload for kind, _, _, payload in raw.frames if kind == frames.PING] == sent
    assert len(turns) >= len(sent) // 512
    raw.send(raw.request(1))
    assert raw.until(frames.DATA) == b"x"


# Windows. h2 raises where the server sends more than it may.


@pytest.mark.parametrize("window", [1, 1000, 65_535])
def test_an_answer_keeps_to_the_windows_of_its_client(serve, window):
    client = serve().connect(settings={Setting.INITIAL_WINDOW_SIZE: window})
    body = b"x" * min(300_000, window * 300)
    assert client.answer(client.request(body)) == body


def test_a_smaller_window_counts_for_streams_that_are_open(serve):
    served = serve()
    served.app.holds = True
    client = served.connect()
    number = client.request(b"x" * 50_000)
    client.until(h2.events.SettingsAcknowledged)
    client.h2.update_settings({Setting.INITIAL_WINDOW_SIZE: 100})
    client.events.clear()
    client.flush()
    client.until(h2.events.SettingsAcknowledged)
    served.call(served.app.requests[number].answer)
    assert client.answer(number) == b"x" * 50_000


def test_a_blocked_stream_holds_up_no_other(serve):
    served = serve()
    client = served.connect(settings={Setting.INITIAL_WINDOW_SIZE: 1000})
    client.h2.increment_flow_control_window(10_000_000)
    blocked = client.request(b"x" * 5000)
    client.until(h2.events.DataReceived, blocked)
    assert client.answer(client.request(b"y" * 900)) == b"y" * 900
    assert client.answer(blocked) == b"x" * 5000


def test_larger_frames_are_sent_where_the_client_takes_them(serve):
    client = serve().connect(
        settings={Setting.MAX_FRAME_SIZE: 100_000, Setting.INITIAL_WINDOW_SIZE: 2**20}
    )
    client.h2.increment_flow_control_window(2**20)
    client.until(h2.events.SettingsAcknowledged)
    number = client.request(b"x" * 60_000)
    assert client.answer(number) == b"x" * 60_000
    sizes = [len(e.data) for e in client.events if isinstance(e, h2.events.DataReceived)]
    assert sizes == [60_000]


def test_a_client_gets_no_window_for_what_the_application_has_not_taken(serve):
    served = serve(stream_window=70_000)
    served.app.releases = False
    client = served.connect()
    client.until(h2.events.RemoteSettingsChanged)
    number = client.h2.get_next_available_stream_id()
    client.h2.send_headers(number, REQUEST)
    for _ in range(7):
        client.h2.send_data(number, b"x" * 10_000)
    client.h2.ping(b"12345678")
    client.flush()
    client.until(h2.events.PingAckReceived)
    assert client.h2.local_flow_control_window(number) == 0
    # One byte more is beyond what was allowed.
    client.send_raw(frames.frame(frames.DATA, 0, number, b"x"))
    reset = client.until(h2.events.StreamReset, number)
    assert reset.error_code == ErrorCodes.FLOW_CONTROL_ERROR
    assert served.app.aborted == [number]


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.lists(st.integers(0, 40_000), min_size=1, max_size=6),
    window=st.integers(1_000, 70_000),
    padding=st.none() | st.integers(0, 255),
)
def test_requests_of_any_size_over_any_window_are_echoed(serve, sizes, window, padding):
    served = serve(stream_window=70_000, connection_window=65_535)
    client = served.connect(settings={Setting.INITIAL_WINDOW_SIZE: window})
    bodies = [bytes([n]) * size for n, size in enumerate(sizes)]
    options = {} if padding is None else {"pad_length": padding}
    numbers = [client.request(body, **options) for body in bodies]
    assert [client.answer(number) for number in numbers] == bodies


# Drain.


def test_the_last_goaway_says_which_requests_were_taken(serve):
    served = serve()
    served.app.holds = True
    raw = RawClient(served)
    raw.send(raw.request(1))
    raw.until(frames.SETTINGS)
    served.stop()
    raw.until(frames.PING)
    raw.send(raw.request(3) + frames.ping(b"draining", ack=True))
    away = raw.until(frames.GOAWAY, nth=2)
    assert (int.from_bytes(away[:4], "big"), away[4:8]) == (3, b"\0\0\0\0")
    raw.send(raw.request(5))
    for number in (1, 3):
        served.call(served.app.requests[number].answer)
    raw.to_end()
    ended = [n for kind, flags, n, _ in raw.frames if kind == frames.HEADERS and flags & 1]
    assert ended == [1, 3]
    assert 5 not in served.app.requests


def test_a_drain_ends_without_the_answer_to_its_ping(serve):
    served = serve()
    raw = RawClient(served)
    raw.until(frames.SETTINGS)
    served.stop()
    raw.until(frames.PING)
    served.sweep(2.0)
    raw.to_end()
    assert [kind for kind, _, _, _ in raw.frames].count(frames.GOAWAY) == 2
