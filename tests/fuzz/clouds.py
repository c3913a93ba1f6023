"""Fuzz the offline clouds: `make fuzz`, or `python -m tests.fuzz.clouds --requests 100000`.

Recorded traffic of the official SDKs is sent again, most of it changed, and requests shaped by
the services' own definitions. An answer of 5xx (but 501 and 503, which refuse by name, and 507), a
connection that closes without an answer, a traceback in the log or memory that grows is a finding:
it is printed with its request, and the exit status is 1.

It goes by rounds: the SDKs' traffic is recorded again, then come requests, then everything that
they made is deleted. Memory is compared between the ends of rounds: deployed models are no leak.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from .mutations import mutate
from .recording import record
from .schemas import Schemas
from .sweep import Sweep
from .wire import Answer, Connection, Message, addressed

CONNECTIONS = 4
ROUND_REQUESTS = 10_000
UNCHANGED, SHAPED = 0.15, 0.25
"""The shares of requests that are sent as recorded, and that are made of definitions."""
REFUSED = {501, 503, 507}
GROWTH_BYTES_PER_REQUEST = 200
"""What a request may leave in memory: above it, 10^6 requests would hold 200 MB."""
UPLOAD_ID = re.compile(rb"\b[0-9a-f]{32}\b")
MODELS = Path(__file__).parents[3] / "shared" / "models"
MIB = 1 << 20


@dataclass(slots=True)
class Run:
    """What is sent, and what has come of it."""

    port: int
    schemas: Schemas
    chance: random.Random
    until: float
    left: int
    seeds: list[Message] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    findings: dict[str, Message] = field(default_factory=dict)
    uploads: list[bytes] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Return how many requests were answered."""
        return sum(self.statuses.values())

    @property
    def is_over(self) -> bool:
        """Return whether nothing more is to be sent."""
        return self.left <= 0 or time.monotonic() >= self.until

    def next(self) -> Message:
        """Return the next request."""
        kind = self.chance.random()
        if kind < SHAPED:
            message = self.schemas.request(self.chance)
            return message if self.chance.random() < 0.7 else mutate(message, self.chance)
        message = self._refreshed(self.chance.choice(self.seeds))
        return message if kind < SHAPED + UNCHANGED else mutate(message, self.chance)

    def _refreshed(self, message: Message) -> Message:
        """Name an upload in progress instead of the recorded one."""
        if not self.uploads or not UPLOAD_ID.search(message.target):
            return message
        target = UPLOAD_ID.sub(self.chance.choice(self.uploads), message.target)
        return replace(message, target=target)

    def note(self, message: Message, answer: Answer | None) -> None:
        """Count an answer, or keep what it shows."""
        status = answer.status if answer else 0
        self.statuses[status] += 1
        if answer is None:
            self._find("no answer", message)
        elif status >= 500 and status not in REFUSED:
            self._find(f"{status} {answer.body[:200]!r}", message)
        if answer and message.method in {b"POST", b"PUT"}:
            result = UPLOAD_ID.findall(answer.head + answer.body[:1000])
            self.uploads = (self.uploads + result)[-20:]

    def _find(self, what: str, message: Message) -> None:
        self.findings.setdefault(
            f"{what} to {message.method.decode()} {message.target[:60]!r}", message
        )


async def worker(run: Run, last: int) -> None:
    """Send requests over one connection until only `last` are left, or no time."""
    connection = Connection(run.port)
    while run.left > last and not run.is_over:
        run.left -= 1
        message = addressed(run.next(), run.port)
        answer = await connection.send(message)
        if answer is None:  # it may have closed an idle connection, or one that it had refused
            answer = await connection.send(message)
        run.note(message, answer)
    connection.close()


@dataclass(frozen=True, slots=True)
class Held:
    """What the server held at the end of a round: resident bytes, after so many requests."""

    sent: int
    size: int


def fuzz(run: Run, data: Path, process: subprocess.Popen[bytes]) -> list[Held]:
    """Run all rounds; return what the process held at the end of each."""
    held = []
    while not run.is_over and process.poll() is None:
        run.seeds = record(run.port, MODELS / "tfs_half_plus_two_cpu" / "123")
        left = asyncio.run(fuzz_round(run, data))
        held.append(Held(run.sent, resident(process.pid)))
        kept = ", ".join(f"{name} {size // 1024} KiB" for name, size in databases(data).items())
        size = f"{held[-1].size / MIB:>7.1f} MiB"
        print(f"{run.sent:>9} sent {size}, {len(run.findings)} findings; {kept}", flush=True)
        for refusal in left[:5]:
            print(f"  not deleted: {refusal}", flush=True)
    return held


async def fuzz_round(run: Run, data: Path) -> list[str]:
    """Send the requests of a round and delete what they made; return what is left."""
    last = max(run.left - ROUND_REQUESTS, 0)
    await asyncio.gather(*(worker(run, last) for _ in range(CONNECTIONS)))
    return await Sweep(data, run.port).run()


def databases(data: Path) -> dict[str, int]:
    """Return the sizes of the emulator's databases, logs not counted."""
    return {str(path.relative_to(data)): path.stat().st_size for path in data.rglob("*.db")}


def resident(pid: int) -> int:
    """Return a process's resident bytes; 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def main() -> int:
    """Fuzz an emulator in a folder of its own, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return check(Path(folder), options)


def check(folder: Path, options: argparse.Namespace) -> int:
    """Start, record, fuzz, and tell."""
    log = folder / "log"
    command = [sys.executable, "-m", "cloudserve", "emulate", "--port", "0", "--env"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--data", str(folder / "data")], stdout=subprocess.PIPE, stderr=stderr
        )
    try:
        port = started(process)
        print(f"seed {options.seed}", flush=True)
        until = time.monotonic() + options.seconds
        chance = random.Random(options.seed)
        run = Run(port, Schemas(), chance, until, options.requests)
        held = fuzz(run, folder / "data", process)
        return tell(run, held, log.read_bytes(), ended=process.poll() is not None)
    finally:
        process.terminate()
        process.wait()


def started(process: subprocess.Popen[bytes]) -> int:
    """Return the port of an emulator that has started."""
    port = 0
    assert process.stdout is not None
    for line in process.stdout:
        match = re.search(rb"AWS_ENDPOINT_URL=\S*?:(\d+)", line)
        port = int(match[1]) if match else port
        if line.startswith(b"# ready"):
            return port
    raise SystemExit("the emulator did not start")


def tell(run: Run, held: list[Held], log: bytes, *, ended: bool) -> int:
    """Print the outcome; return the exit status."""
    print(f"{run.sent} requests: {dict(sorted(run.statuses.items()))}")
    for what, message in run.findings.items():
        print(f"\nFOUND {what}\n{message.encode()[:2000]!r}")
    tracebacks = log.count(b"Traceback (most recent call last)")
    if tracebacks:
        print(f"\nFOUND {tracebacks} tracebacks; the last of the log:\n{log[-4000:].decode()}")
    if ended:
        print("\nFOUND the emulator ended")
    grown = growth(held)
    print(f"memory: {grown:.0f} bytes a request")
    grows = run.sent >= 100_000 and grown > GROWTH_BYTES_PER_REQUEST
    return int(bool(run.findings or tracebacks or ended or grows))


def growth(held: list[Held]) -> float:
    """Return by how many bytes a request memory grew since the most of the first quarter."""
    if len(held) < 2:
        return 0.0
    early = held[: len(held) // 4 + 1]
    size, sent = max(each.size for each in early), early[-1].sent
    return (held[-1].size - size) / max(held[-1].sent - sent, 1)


if __name__ == "__main__":
    sys.exit(main())
