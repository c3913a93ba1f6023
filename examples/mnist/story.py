"""The demo: train, release to two offline clouds, promote, roll back, refuse worse versions.

Run it with `make demo`. Every command and every figure is real: the script trains the models and
sends the digits through Google's and AWS's own clients over HTTP to the offline clouds, which run
the released SavedModels.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ask_aws
import ask_google
import digits
import numpy as np
import train
from numpy.typing import NDArray

Labels = NDArray[np.int64]
CLOUDSERVE = Path(sys.executable).with_name("cloudserve")
PROJECT = """\
models:
  mnist:
    path: models/mnist

targets:
  vertex:
    provider: vertex
    bucket: gs://rehearsal-models
  aws:
    provider: sagemaker
    bucket: s3://rehearsal-models
    role_arn: arn:aws:iam::000000000000:role/rehearsal
"""
GATE = "    gates: {golden: {file: golden.jsonl, accuracy: 0.85}}\n"
FAILING = """\
import requests

calls = 0

def handler(data, context):
    global calls
    calls += 1
    if calls % 5 == 0:
        raise OSError("no buffer is free")
    answer = requests.post(context.rest_uri, data=data.read())
    return answer.content, context.accept_header
"""
"""The code of a version that answers four requests of five."""
REFUSED = 6
"""The exit code of a command that a gate or a canary refuses."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The working folder, and the environment that points at the offline clouds."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, command: str, code: int = 0) -> str:
        """Run a cloudserve command, print it with its output, and return its standard output."""
        print(f"\n$ cloudserve {command}", flush=True)
        done = subprocess.run(
            [CLOUDSERVE, *shlex.split(command)],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout, end="", flush=True)
        if done.returncode != code:
            raise SystemExit(f"the command exited with {done.returncode}")
        return done.stdout


def main(folder: Path) -> None:
    """Run the demo in a folder; existing content is deleted."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models" / "mnist").mkdir(parents=True)
    (folder / "cloudserve.yaml").write_text(PROJECT)

    say("1. Train two models on 4000 handwritten digits and test them on 1000 others.")
    training, test = digits.load()
    in_process = {}
    for number, learn in (("1", train.softmax_regression), ("2", train.perceptron)):
        network = learn(training)
        train.export(network, folder / "models" / "mnist" / number)
        in_process[number] = train.labels_in_process(network, test)
        rate = error_rate(in_process[number], test)
        print(f"version {number}, {learn.__name__.replace('_', ' ')}: {rate:.1%} wrong")

    say("2. Inspect a SavedModel without TensorFlow.")
    Stage(folder, {}).run("inspect models/mnist/1")

    say("3. Start the offline clouds: one port, no account, no Docker.")
    with offline_clouds(folder / "emulate.log") as environment:
        stage = Stage(folder, environment)
        say("4. Release version 1 to both clouds.")
        stage.run("deploy mnist --target vertex --version 1")
        stage.run("deploy mnist --target aws --version 1")

        say("5. Send the 1000 digits through Google's and AWS's own clients.")
        ask_both(environment, test, in_process["1"])

        say("6. Deploy version 2 beside it, and promote it.")
        for target in ("vertex", "aws"):
            stage.run(f"deploy mnist --target {target}")
            stage.run(f"promote mnist --target {target}")
        ask_both(environment, test, in_process["2"])

        say("7. Roll back to version 1, without a new upload.")
        for target in ("vertex", "aws"):
            stage.run(f"rollback mnist --target {target}")
        ask_both(environment, test, in_process["1"])
        for target in ("vertex", "aws"):
            stage.run(f"history mnist --target {target}")

        say("8. A worse version 3, trained on 40 digits, is refused by a gate before its upload.")
        worse = train.softmax_regression(digits.Digits(training.pixels[:40], training.labels[:40]))
        train.export(worse, folder / "models" / "mnist" / "3")
        print(f"version 3: {error_rate(train.labels_in_process(worse, test), test):.1%} wrong")
        (folder / "golden.jsonl").write_text(golden_file(test))
        (folder / "cloudserve.yaml").write_text(PROJECT + GATE)
        stage.run("deploy mnist --target aws", REFUSED)

        say("9. Version 4 passes the gate, fails for every fifth request, and is rolled back.")
        with_failing_code(folder / "models" / "mnist", 4)
        (folder / "requests.jsonl").write_text(requests_file(test))
        stage.run("deploy mnist --target aws --version 4")
        stage.run("promote mnist --target aws --canary --requests requests.jsonl", REFUSED)
        stage.run("status mnist --target aws")


def with_failing_code(base: Path, number: int) -> None:
    """Make a version of the perceptron with code that runs out of something."""
    shutil.copytree(base / "2", base / str(number))
    code = base / str(number) / "code"
    code.mkdir()
    (code / "inference.py").write_text(FAILING)


def requests_file(test: digits.Digits) -> str:
    """Return a request for each of a hundred test digits."""
    instances = test.pixels[:100].astype(int).tolist()
    return "".join(f"{json.dumps({'instances': [digit]})}\n" for digit in instances)


def golden_file(test: digits.Digits) -> str:
    """Return a golden file: the test digits with their labels."""
    header = {"golden": 1, "label": "probabilities"}
    instances = test.pixels.astype(int).tolist()
    example = {"request": {"instances": instances}, "labels": test.labels.tolist()}
    return f"{json.dumps(header)}\n{json.dumps(example)}\n"


@contextmanager
def offline_clouds(log: Path) -> Iterator[dict[str, str]]:
    """Run `cloudserve emulate` and yield the environment that it prints."""
    command = [str(CLOUDSERVE), "emulate", "--port", "0", "--env"]
    print(f"\n$ {' '.join(['cloudserve', *command[1:]])} 2> {log.name}", flush=True)
    with (
        log.open("w") as lines,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=lines, text=True) as process,
    ):
        try:
            yield read_exports(process, log)
        finally:
            process.terminate()


def read_exports(process: subprocess.Popen[str], log: Path) -> dict[str, str]:
    """Read `export NAME=VALUE` lines until the clouds are ready."""
    environment: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("# ready"):
            return environment
        name, _, value = line.removeprefix("export ").rstrip("\n").partition("=")
        if line.startswith("export "):
            environment[name] = "".join(shlex.split(value))
    raise SystemExit(f"the offline clouds did not start:\n{log.read_text()}")


def ask_both(environment: Mapping[str, str], test: digits.Digits, expected: Labels) -> None:
    """Predict the test digits on both clouds; the results must equal those in process."""
    os.environ.update(environment)
    instances: list[Any] = test.pixels.astype(int).tolist()
    for client, ask in (
        ("googleapiclient aiplatform v1 predict", ask_google.predict),
        ("boto3 sagemaker-runtime invoke_endpoint", ask_aws.predict),
    ):
        scores = np.asarray(ask("mnist", instances))
        labels = scores.argmax(axis=1)
        same = "the same digits" if np.array_equal(labels, expected) else "OTHER DIGITS"
        print(f"{client}: {error_rate(labels, test):.1%} wrong, {same} as in process")
        if same == "OTHER DIGITS":
            raise SystemExit("the served model is not the exported one")


def error_rate(labels: Labels, truth: digits.Digits) -> float:
    """Return the fraction of wrong labels."""
    return float(np.mean(labels != truth.labels))


def say(line: str) -> None:
    """Print a heading."""
    print(f"\n\033[1m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-work").resolve())
