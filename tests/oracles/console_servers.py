"""Servers in processes of their own for the tests of the console, and moves on its page."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

CLOUDSERVE = Path(sys.executable).with_name("cloudserve")
PATIENCE = 300
"""Seconds for what takes a second on an idle machine: a safety net, no expectation."""
RULE_CHECK = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`)"""
EVERY = "model_version_policy { all {} }"
PROJECT = """
name: console
models:
  half: {{path: {models}/tfs_half_plus_two_2v}}
targets:
  aws:
    provider: sagemaker
    bucket: s3://console-models
    role_arn: arn:aws:iam::000000000000:role/console
    region: eu-west-1
  vertex: {{provider: vertex, bucket: gs://console-models}}
environments:
  staging: {{targets: {{aws: {{endpoint_name: half-staging}}}}}}
"""
DEPLOYED = (
    ("aws", "123"),
    ("aws", "124"),
    ("aws", "123", "--env", "staging"),
    ("vertex", "124"),
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, process, log):
    """Wait until a server answers; raises AssertionError with its log if it has ended."""
    for _ in tries(process, log):
        try:
            with urlopen(url, timeout=PATIENCE):
                return
        except HTTPError as error:
            error.close()
        except OSError:
            continue


def tries(process, log):
    """Yield a few times a second, while a process runs and the patience lasts."""
    deadline = time.monotonic() + PATIENCE
    while True:
        yield
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@contextmanager
def running(log, *arguments):
    """Run a command until the block ends, and yield its process."""
    with log.open("wb") as file:
        process = subprocess.Popen([CLOUDSERVE, *map(str, arguments)], stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def serving(config, log, port, ready):
    """Serve the models of a file, and yield the server's URL when it answers a path."""
    url = f"http://127.0.0.1:{port}"
    with running(log, *server_arguments(port, config)) as process:
        for path in ready:
            wait_for(url + path, process, log)
        yield url


@contextmanager
def changeable_server(folder, served, ready):
    """Serve models whose configuration may change; yield the URL and the link with the token."""
    config, log = write_config(folder / "models.config", served), folder / "log"
    with running(log, *server_arguments(free_port(), config)) as process:
        link = console_link(process, log)
        url = link.partition("/#")[0]
        wait_for(url + ready, process, log)
        yield url, link


@contextmanager
def released_clouds(folder, models):
    """Run the offline clouds with a project, and deploy it; yield URL, link and environment."""
    project, log = folder / "cloudserve.yaml", folder / "log"
    project.write_text(PROJECT.format(models=models))
    with running(log, "emulate", "--port", 0, "--env", "--project", project) as process:
        link = console_link(process, log)
        exports = re.findall(r"^export (\w+)='?([^'\n]*)'?$", log.read_text(), flags=re.MULTILINE)
        environment = {**os.environ, **dict(exports)}
        deploy = [CLOUDSERVE, "deploy", "half", "--project", project]
        for target, version, *more in DEPLOYED:
            named = (*deploy, "-t", target, "--version", version, *more)
            subprocess.run(named, env=environment, check=True, capture_output=True)
        yield link.partition("/#")[0], link, environment


def console_link(process, log):
    """Return the link that a command prints when it is ready, with its token."""
    for _ in tries(process, log):
        if found := re.search(r"console: (\S+)\n", log.read_text()):
            return found[1]
    raise AssertionError


def server_arguments(port, config):
    return (
        *("model-server", "--port=0", f"--grpc_socket_path={config}.sock"),
        *(f"--rest_api_port={port}", f"--model_config_file={config}", "--listen_address=127.0.0.1"),
        *("--enable_console", "--enable_batching", "--strict_startup=false"),
        *("--max_num_load_retries=0", f"--record={config}.golden/"),
    )


def model(name, path, more=""):
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'config {{ name: "{quoted}" base_path: "{path}" model_platform: "tensorflow" {more} }}'


def write_config(file, *served):
    """Write a ModelConfigList of models, and return its file."""
    file.write_text(f"model_config_list {{ {' '.join(served)} }}")
    return file


def show(page, url):
    page.goto(url)
    page.locator("#live[data-state=live]").wait_for()
    page.locator("main h2").first.wait_for()


def send(page):
    page.get_by_role("button", name="Send").click()
    page.locator(".result .timing, .tryit .problem:visible").first.wait_for()


def tab_to(page, text):
    """Press the tab key until the element with this text has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent") == text:
            return
    raise AssertionError(f"the tab key does not reach {text}")
