"""Servers in processes of their own for the tests of the console, and moves on its page."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

CLOUDSERVE = Path(sys.executable).with_name("cloudserve")
PATIENCE = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")


@contextmanager
def running(url, log, *arguments, ready):
    with log.open("wb") as file:
        process = subprocess.Popen([CLOUDSERVE, *map(str, arguments)], stdout=file, stderr=file)
    try:
        wait_for(url + ready)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def console_link(log):
    """Return the link that a command printed, with its token."""
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(r"console: (\S+)\n", log.read_text())):
        assert time.monotonic() < deadline
    return found[1]


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
