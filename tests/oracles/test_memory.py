"""The server's heap under a checker, while clients and the server are killed: `make oracle-memory`.

Each round starts `cloudserve serve` with two models, sends numbers and strings over REST and gRPC,
replaces a version, kills the clients within their requests, stops the server, and expects a clean
end and no report. ROUNDS is the number of rounds per case, SEED makes others.

* `malloc`: glibc's malloc checks the byte behind every block, and overwrites what is freed.
* `asan`: AddressSanitizer's malloc, memcpy and memmove refuse blocks that were freed.
* `valgrind`: every access to memory is checked. It has no AVX-512, and is a hundred times slower.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

if "ORACLE_MEMORY" not in os.environ:
    pytest.skip("ORACLE_MEMORY is not set: see `make oracle-memory`", allow_module_level=True)

CLOUDSERVE = (sys.executable, "-m", "cloudserve")
CHECKERS = os.environ["ORACLE_MEMORY"].split()
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SEED = int(os.environ.get("SEED", "1"))
CASES = {
    "batching": (),
    "no-batching": ("--no-batching",),
    "replicas": ("--devices", "cpu:0,cpu:1"),
    "grpcio": ("--grpc-transport", "grpcio"),
}
START_SECONDS, END_SECONDS = 1800, 600
READY = re.compile(r"serving \S.* on (http://\S+), gRPC on (\S+)")
WIDTH = 64

pytestmark = pytest.mark.timeout(0)


@dataclass(frozen=True, slots=True)
class Checker:
    """How a process is started with a checker, and how much slower it is then."""

    variables: Mapping[str, str]
    command: Sequence[str] = ()
    slowdown: int = 1


def checker(name: str, reports: Path) -> Checker:
    plain = {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "165"}
    if name == "malloc":
        debug = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
        return Checker(plain | debug)
    if name == "asan":
        command = ["gcc", "-print-file-name=libasan.so"]
        library = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        options = f"detect_leaks=0:detect_odr_violation=0:log_path={reports}/asan"
        preloaded = {"LD_PRELOAD": library.strip(), "ASAN_OPTIONS": options}
        return Checker({"PYTHONMALLOC": "malloc"} | preloaded, slowdown=2)
    # Of the heap only: uses of unset values are not reported. The dynamic linker reads whole words
    # of a string.
    ignored = reports.with_suffix(".supp")
    ignored.write_text("{\n linker\n Memcheck:Addr8\n fun:strncmp\n fun:is_dst\n ...\n}\n")
    flags = ("--undef-value-errors=no", "--error-exitcode=98", "--fair-sched=try", "--quiet")
    files = (f"--suppressions={ignored}", f"--log-file={reports}/valgrind.%p")
    return Checker({"PYTHONMALLOC": "malloc"}, ("valgrind", *flags, *files), slowdown=20)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of base paths: `numbers` has products of matrices, `strings` joins them."""
    import tensorflow as tf

    weights = tf.Variable(tf.random.normal([WIDTH, WIDTH], seed=1))

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], name="x")])
    def multiply(x):
        return {"y": tf.nn.softmax(tf.nn.relu(x @ weights) @ weights)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
    def join(x):
        return {"y": tf.strings.join([x, x, "and more than fits into 22 bytes"])}

    folder = tmp_path_factory.mktemp("models")
    for name, function in {"numbers": multiply, "strings": join}.items():
        module = tf.Module()
        module.weights, module.function = weights, function
        tf.saved_model.save(module, str(folder / name / "1"), signatures=function)
    return folder


@contextmanager
def load(url: str, in_flight: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [*CLOUDSERVE, "bench", url, "--connections", str(in_flight), "--duration", "3600"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_ready(process: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    until = time.monotonic() + START_SECONDS
    while (ready := READY.search(log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)  # the log is a file, so that a killed reader cannot block the server
    return ready[1], ready[2]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", CHECKERS)
def test_the_heap_is_intact_when_clients_and_the_server_are_killed(
    name: str, case: str, models: Path, tmp_path: Path
) -> None:
    for number in range(ROUNDS):
        choice = random.Random(f"{SEED} {name} {case} {number}")
        folder = tmp_path / str(number)
        shutil.copytree(models, folder / "models")
        one_round(checker(name, folder), CASES[case], folder, choice)


def one_round(checked: Checker, flags: Sequence[str], folder: Path, choice: random.Random) -> None:
    log, base = folder / "log", folder / "models"
    command = [*checked.command, *CLOUDSERVE, "serve", base, "--port", "0", "--grpc-port", "0"]
    environment = {**os.environ, **checked.variables}
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        server = stack.enter_context(
            subprocess.Popen([*command, *flags], env=environment, stderr=output)
        )
        stack.callback(server.kill)
        rest, grpc = wait_for_ready(server, log)
        urls = [f"{rest}/v1/models/{name}" for name in ("numbers", "strings")]
        urls += [f"grpc://{grpc}/{name}" for name in ("numbers", "strings")]
        chosen = choice.sample(urls, choice.randint(1, 3))
        clients = [stack.enter_context(load(url, choice.choice([1, 16, 64]))) for url in chosen]
        wait(choice.uniform(2, 5) * checked.slowdown, server, log)
        if choice.random() < 1 / 2:
            shutil.copytree(base / "numbers" / "1", folder / "2")
            (folder / "2").rename(base / "numbers" / "2")
            wait(choice.uniform(0, 3) * checked.slowdown, server, log)
        end(server, clients, choice)
        code = server.wait(END_SECONDS)
    reports = [file.read_text() for file in folder.glob("*.[0-9]*") if file.stat().st_size]
    assert (code, reports) == (0, []), log.read_text()


def wait(seconds: float, server: subprocess.Popen[bytes], log: Path) -> None:
    """Let the load run; the server must not end in the meantime."""
    try:
        server.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    pytest.fail(log.read_text())


def end(
    server: subprocess.Popen[bytes],
    clients: Sequence[subprocess.Popen[bytes]],
    choice: random.Random,
) -> None:
    """Send the signals in an order of chance; the server may get its own more than once."""
    signals = [(client, choice.choice([signal.SIGTERM, signal.SIGKILL])) for client in clients]
    signals += [(server, signal.SIGTERM)] * choice.choice([1, 1, 2])
    choice.shuffle(signals)
    for process, number in signals:
        time.sleep(choice.choice([0, 0.002, 0.02, 0.2]))
        process.send_signal(number)
