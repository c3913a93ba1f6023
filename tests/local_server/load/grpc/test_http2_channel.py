"""The HTTP/2 client against the library h2 as its server, in memory."""

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
from cloudserve.local_server.load.grpc.http2_channel import Http2Channel, call_head
from hypothesis import given
from hypothesis import strategies as st

HEAD = call_head("/s/Predict", "h:1", [("authorization", "Bearer t")])
HEADERS = [(":status", "200"), ("content-type", "application/grpc")]
SETTING = h2.settings.SettingCodes


class Memory:
    """The transport of a channel, whose other side is h2."""

    def __init__(self, **settings):
        self.server = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self.lost = []
        self.sent = []
        self.bodies = {}
        self.ended = []
        self.reset = {}
        self.headers = {}
        self.is_closed = False
        self.channel = Http2Channel(HEAD, self.lost.append)
        self.server.initiate_connection()
        self.server.update_settings({SETTING[name]: value for name, value in settings.items()})
        self.channel.connection_made(self)
        self.exchange()

    def write(self, data):
        self.sent.append(bytes(data))

    def abort(self):
        self.is_closed = True

    def exchange(self):
        """Deliver everything in both directions until nothing is left."""
        while self.sent or (waiting := self.server.data_to_send()):
            sent, self.sent = b"".join(self.sent), []
            for event in self.server.receive_data(sent) if sent else ():
                self._note(event)
            waiting = self.server.data_to_send() if sent else waiting
            if waiting and not self.is_closed:
                self.channel.data_received(waiting)

    def _note(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.headers[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.append(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.reset[event.stream_id] = event.error_code

    def answer(self, number, status="0", message=b"\0\0\0\0\0", **extra):
        self.server.send_headers(number, HEADERS)
        self.server.send_data(number, message)
        trailers = [("grpc-status", status), *extra.items()]
        self.server.send_headers(number, trailers, end_stream=True)
        self.exchange()


def test_a_call_has_the_headers_of_grpc_and_its_message():
    memory, ends = Memory(), []
    number = memory.channel.begin(b"\0\0\0\0\3abc", ends.append)
    memory.exchange()
    assert memory.headers[number] == {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/s/Predict",
        ":authority": "h:1",
        "te": "trailers",
        "content-type": "application/grpc",
        "authorization": "Bearer t",
    }
    assert memory.bodies[number] == b"\0\0\0\0\3abc"
    assert memory.ended == [number]
    memory.answer(number)
    assert ends == [None]


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        ("3", "INVALID_ARGUMENT"),
        ("14", "UNAVAILABLE"),
        ("16", "UNAUTHENTICATED"),
        ("17", "no grpc-status"),
        ("x", "no grpc-status"),
    ],
)
def test_a_status_is_the_kind_of_failure(status, failure):
    memory, ends = Memory(), []
    number = memory.channel.begin(b"m", ends.append)
    memory.exchange()
    memory.answer(number, status, **{"grpc-message": "why"})
    assert ends == [failure]


def test_trailers_only_http_errors_resets_and_missing_trailers_end_a_call():
    memory, ends = Memory(), []
    numbers = [memory.channel.begin(b"m", ends.append) for _ in range(4)]
    memory.exchange()
    only, error, reset, missing = numbers
    memory.server.send_headers(only, [*HEADERS, ("grpc-status", "5")], end_stream=True)
    memory.server.send_headers(error, [(":status", "503")], end_stream=True)
    memory.server.reset_stream(reset, h2.errors.ErrorCodes.REFUSED_STREAM)
    memory.server.send_headers(missing, HEADERS)
    memory.server.send_data(missing, b"m", end_stream=True)
    memory.exchange()
    assert ends == ["NOT_FOUND", "HTTP 503", "RST_STREAM REFUSED_STREAM", "no grpc-status"]


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    st.integers(0, 200),
    st.lists(st.integers(1, 200), max_size=12),
)
def test_messages_arrive_whole_whatever_the_windows_are(messages, initial, increments):
    memory, ends = Memory(INITIAL_WINDOW_SIZE=initial), []
    numbers = [memory.channel.begin(message, ends.append) for message in messages]
    memory.exchange()  # h2 raises FlowControlError if a window is exceeded
    for increment in [*increments, *[300] * len(messages)]:
        for number in numbers:
            if number not in memory.ended:
                memory.server.increment_flow_control_window(increment, number)
        memory.exchange()
    assert [memory.bodies.get(number, b"") for number in numbers] == messages
    assert sorted(memory.ended) == numbers


def test_a_message_waits_for_the_window_of_the_connection_and_for_frames():
    memory, ends = Memory(INITIAL_WINDOW_SIZE=2**20), []
    message = bytes(range(256)) * 600
    number = memory.channel.begin(message, ends.append)
    memory.exchange()
    assert len(memory.bodies[number]) == 65_535
    memory.server.increment_flow_control_window(2**20)
    memory.exchange()
    assert memory.bodies[number] == message
    assert memory.ended == [number]


def test_a_header_block_in_parts_is_read():
    memory, ends = Memory(), []
    number = memory.channel.begin(b"m", ends.append)
    memory.exchange()
    memory.answer(number, "3", **{"grpc-message": "x" * 40_000})
    assert ends == ["INVALID_ARGUMENT"]


def test_a_cancelled_call_is_reset_and_its_answer_ignored():
    memory, ends = Memory(INITIAL_WINDOW_SIZE=1), []
    number = memory.channel.begin(b"message", ends.append)
    memory.exchange()
    memory.channel.cancel(number)
    memory.channel.cancel(number)
    memory.exchange()
    assert memory.reset == {number: h2.errors.ErrorCodes.CANCEL}
    assert ends == []


def test_a_connection_that_is_lost_or_not_http2_fails_its_calls():
    for lose in (
        lambda channel: channel.connection_lost(None),
        lambda channel: channel.data_received(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ):
        memory, ends = Memory(), []
        memory.channel.begin(b"m", ends.append)
        memory.exchange()
        lose(memory.channel)
        assert len(ends) == 1
        assert memory.lost == [memory.channel]
        assert memory.is_closed


def test_a_goaway_ends_the_use_of_the_connection_and_not_its_calls():
    memory, ends = Memory(), []
    number = memory.channel.begin(b"m", ends.append)
    memory.exchange()
    memory.channel.data_received(b"\0\0\x08\7\0\0\0\0\0" + number.to_bytes(4) + bytes(4))
    assert memory.lost == [memory.channel]
    memory.answer(number)
    assert ends == [None]


def test_pings_are_answered_and_answers_of_one_read_cause_one_write():
    memory = Memory()
    ends = []

    def again(failure):
        ends.append(failure)
        if len(ends) <= 3:
            memory.channel.begin(b"m", ends.append)

    numbers = [memory.channel.begin(b"m", again) for _ in range(3)]
    memory.exchange()
    for number in numbers:
        memory.server.send_headers(number, [*HEADERS, ("grpc-status", "0")], end_stream=True)
    memory.server.ping(b"12345678")
    memory.channel.data_received(memory.server.data_to_send())
    assert len(memory.sent) == 1
    assert ends == [None] * 3
