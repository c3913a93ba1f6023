"""Hostile HTTP/2 clients of a gRPC server: how each ends, and what it costs the server and others.

Run by `make bench-hostile-grpc`, for SECONDS each attack; not collected by pytest. Each attack
connects again and again to a `cloudserve model-server` process, while a well-behaved client of
grpcio calls one request after the other. Ends with 1 if a call of that client fails, or if memory,
handles or threads grow from the first round of attacks to the second.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import grpc
from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.errors import ErrorCode
from cloudserve.local_server.transport.http2.wire.frames import FrameReader, frame
from cloudserve.local_server.transport.http2.wire.header_blocks import encode

SECONDS = float(os.environ.get("SECONDS", "5"))
MODEL = Path(__file__).parents[3] / "shared" / "models" / "tfs_half_plus_two_cpu"
GROWTH = 1.15
ROUNDS = 2
BURST = 2000
PATIENCE = 30.0
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
REQUEST = b"\x0a\x03\x0a\x01m"  # the model `m`
GREETING = frames.PREFACE + frame(frames.SETTINGS, 0, 0)
NO_WINDOW = frames.PREFACE + frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\0")
OPEN, WHOLE = frames.END_HEADERS, frames.END_HEADERS | frames.END_STREAM


def head(number: int, path: str = STATUS, *more: tuple[bytes, bytes], flags: int = OPEN) -> bytes:
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b"content-type", b"application/grpc"),
        *more,
    ]
    return frame(frames.HEADERS, flags, number, encode(fields))


def call(number: int, message: bytes = REQUEST, *more: tuple[bytes, bytes], flag: int = 0) -> bytes:
    body = bytes([flag]) + len(message).to_bytes(4, "big") + message
    return head(number, STATUS, *more) + frame(frames.DATA, frames.END_STREAM, number, body)


def numbers() -> Iterator[int]:
    return iter(range(1, 2**31, 2))


def repeated(data: bytes) -> Iterator[bytes]:
    while True:
        yield data


def rapid_reset() -> Iterator[bytes]:
    yield GREETING
    for n in numbers():
        yield call(n) + frames.rst_stream(n, ErrorCode.CANCEL)


def made_resets() -> Iterator[bytes]:
    """Let the server reset streams in work (CVE-2025-8671)."""
    yield GREETING
    for n in numbers():
        yield call(n) + frame(frames.WINDOW_UPDATE, 0, n, b"\0\0\0\0")


def pings() -> Iterator[bytes]:
    yield GREETING
    yield from repeated(frame(frames.PING, 0, 0, b"12345678"))


def settings() -> Iterator[bytes]:
    yield GREETING
    yield from repeated(frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\xff\xff"))


def continuations() -> Iterator[bytes]:
    yield GREETING + head(1, flags=0)
    yield from repeated(frame(frames.CONTINUATION, 0, 1, b"\0\1k\1v"))


def empty_data() -> Iterator[bytes]:
    yield GREETING + head(1)
    yield from repeated(frame(frames.DATA, 0, 1))


def priorities() -> Iterator[bytes]:
    yield GREETING
    yield from repeated(frame(frames.PRIORITY, 0, 1, b"12345"))


def header_bomb() -> Iterator[bytes]:
    """Refer to a large entry of the dynamic table many times."""
    length = b"\x7f\xbd\x1d"  # 3900 as an integer of HPACK
    block = b"\x40\x01k" + length + b"v" * 3900 + b"\xbe" * 10_000
    yield GREETING + frame(frames.HEADERS, WHOLE, 1, block)
    yield from repeated(b"")


def too_many_streams() -> Iterator[bytes]:
    yield GREETING
    for n in numbers():
        yield head(n)


def partial_messages() -> Iterator[bytes]:
    """Announce large messages, and send a part of each."""
    yield GREETING
    part = b"\0" + (2**28).to_bytes(4, "big") + b"x" * 60_000
    for n in numbers():
        yield head(n) + frame(frames.DATA, 0, n, part)


def compressed_bombs() -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(b"\0" * 2**24) + packer.flush()
    yield GREETING
    for n in numbers():
        yield call(n, bomb, (b"grpc-encoding", b"gzip"), flag=1)


def slow_reader() -> Iterator[bytes]:
    """Ask much, and allow no response."""
    yield NO_WINDOW
    for n in numbers():
        yield call(n)


def tiny_windows() -> Iterator[bytes]:
    yield NO_WINDOW
    for n in range(1, 2001, 2):
        yield call(n)
    yield from repeated(b"".join(frames.window_update(n, 1) for n in range(1, 2001, 2)))


def garbage() -> Iterator[bytes]:
    yield from repeated(os.urandom(4096))


ATTACKS = (
    *(rapid_reset, made_resets, pings, settings, continuations, empty_data, priorities),
    *(header_bomb, too_many_streams, partial_messages, compressed_bombs, slow_reader),
    *(tiny_windows, garbage),
)


def attack(make, port: int, until: float) -> str:
    """Send until the server closes or the time is over; return how it ended."""
    end = []
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        reader = threading.Thread(target=read_end, args=(client, end), daemon=True)
        if make is not slow_reader:
            reader.start()
        parts = make()
        with suppress(OSError):
            while time.perf_counter() < until and not end:
                client.sendall(b"".join(islice(parts, BURST)))
                time.sleep(0.001)  # the pace of the attack: the measured client shares the cores
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        if reader.ident:
            reader.join()
    return end[0] if end else "closed or held until the end"


def read_end(client: socket.socket, end: list[str]) -> None:
    cut = FrameReader(frames.MAX_FRAME_SIZE)
    seen: Counter[str] = Counter()
    with suppress(OSError):
        while data := client.recv(65_536):
            for kind, _, _, payload in cut.feed(data):
                if kind == frames.GOAWAY:
                    code = ErrorCode(int.from_bytes(payload[4:8], "big")).name
                    end.append(f"GOAWAY {code}: {payload[8:].decode()}")
                elif kind == frames.RST_STREAM:
                    seen[ErrorCode(int.from_bytes(payload, "big")).name] += 1
    if not end:
        end.append("closed" if not seen else f"RST_STREAM {seen.most_common(1)[0][0]}")


def held(process: subprocess.Popen[str]) -> tuple[int, int, int]:
    """Return MiB resident, handles, and threads of a process."""
    root = Path("/proc") / str(process.pid)
    pages = int((root / "statm").read_text().split()[1])
    size = pages * os.sysconf("SC_PAGE_SIZE") // 2**20
    return size, *(sum(1 for _ in (root / name).iterdir()) for name in ("fd", "task"))


@contextmanager
def server() -> Iterator[tuple[subprocess.Popen[str], int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [str(Path(sys.executable).with_name("cloudserve")), "model-server"]
    options = [f"--port={port}", "--listen_address=127.0.0.1"]
    model = ["--model_name=m", f"--model_base_path={MODEL}"]
    with (
        tempfile.TemporaryFile("w") as log,
        subprocess.Popen([*command, *options, *model], stderr=log, text=True) as process,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        grpc.channel_ready_future(channel).result(PATIENCE * 4)
        yield process, port
        process.terminate()
        if process.wait(60):
            raise RuntimeError(f"the server ended with {process.returncode}")


def bystander(port: int, seconds: list[float], failed: list[str], over: threading.Event) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(STATUS)
        while not over.is_set():
            began = time.perf_counter()
            try:
                ask(REQUEST, timeout=PATIENCE)
            except grpc.RpcError as error:
                failed.append(f"{error.code()}: {error.details()}")
            seconds.append(time.perf_counter() - began)


def run(make, process: subprocess.Popen[str], port: int) -> tuple[tuple[int, int, int], list[str]]:
    """Run one attack; return what the server holds after it, and the failed calls of the other."""
    seconds: list[float] = []
    failed: list[str] = []
    over = threading.Event()
    other = threading.Thread(target=bystander, args=(port, seconds, failed, over))
    other.start()
    until = time.perf_counter() + SECONDS
    ends: Counter[str] = Counter()
    most = 0
    while time.perf_counter() < until:
        ends[attack(make, port, until)] += 1
        most = max(most, held(process)[0])
    over.set()
    other.join()
    seconds.sort()
    p50, p99 = (seconds[int(len(seconds) * share)] * 1e3 for share in (0.5, 0.99))
    after = held(process)
    sys.stdout.write(
        f"{make.__name__:17} {sum(ends.values()):6} connections, the other client {p50:6.1f} ms "
        f"(p99 {p99:6.1f}), server at most {most} MiB, then {after[0]} MiB, {after[1]} handles, "
        f"{after[2]} threads\n"
    )
    for end, count in ends.most_common(3):
        sys.stdout.write(f"{'':17} {count:6} x {end}\n")
    sys.stdout.flush()
    return after, failed


def main() -> int:
    names = sys.argv[1:]
    chosen = [make for make in ATTACKS if not names or make.__name__ in names]
    with server() as (process, port):
        results = [run(make, process, port) for make in chosen * ROUNDS]
    failed = [text for _, failures in results for text in failures]
    first, last = results[len(chosen) - 1][0], results[-1][0]
    grew = [f"{a} -> {b}" for a, b in zip(first, last, strict=True) if b > a * GROWTH + 2]
    for text in [*failed[:5], *grew]:
        sys.stdout.write(f"FAILED: {text}\n")
    return 1 if failed or grew else 0


if __name__ == "__main__":
    sys.exit(main())
