"""Writes the pictures of the console: of a model server and of the offline clouds.

`make docs-pictures` runs it, with the models of the demo, playwright and Debian's chromium (or the
program in CHROMIUM). Usage: write_pictures.py BASE_PATH FOLDER
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

CLOUDSERVE = Path(sys.executable).with_name("cloudserve")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
REST_PORT, GRPC_PORT, CLOUDS_PORT = 8501, 8500, 8900
SECONDS = 60.0
COLOURS = 128
STROKES = (((0.3, 0.28), (0.68, 0.25)), ((0.68, 0.25), (0.45, 0.82)))
"""A seven, as shares of the drawing pad."""
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
COMMANDS = (
    "deploy mnist -t vertex --version 1 --yes",
    "deploy mnist -t aws --version 1 --yes",
    "deploy mnist -t aws --version 2 --yes",
    "promote mnist -t aws --version 2 --percent 25 --yes",
)


def main(base: Path, folder: Path) -> None:
    """Write both pictures into a folder."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as work, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with model_server(base, Path(work)) as url:
            picture_of_server(browser, url, folder / "console.png")
        with clouds(base, Path(work)) as url:
            picture_of_clouds(browser, url, folder / "console-clouds.png")
        browser.close()


def picture_of_server(browser: Any, url: str, file: Path) -> None:
    """Draw a digit, send it to both versions, and take a picture of the answer."""
    page = open_page(browser, f"{url}/#/models/mnist/2", 1300)
    for version in ("1", "2"):  # a version's first run takes longer than any other
        path = f"{url}/v1/models/mnist/versions/{version}:predict"
        page.request.post(path, data={"instances": [[0.0] * 784]})
    page.locator("summary", has_text="serving_default").click()
    pad = page.locator("canvas")
    box = pad.bounding_box()
    for stroke in STROKES:
        (x, y), end = stroke
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        at = end[0] * box["width"] + box["x"], end[1] * box["height"] + box["y"]
        page.mouse.move(*at, steps=20)
        page.mouse.up()
    page.get_by_label("Values from").select_option("0 to 255")
    page.get_by_label("Compare with").select_option("1")
    page.get_by_role("button", name="Send").click()
    page.locator(".result .bars").wait_for()
    take(page, file)


def picture_of_clouds(browser: Any, url: str, file: Path) -> None:
    """Take a picture of endpoints, buckets and operations."""
    page = open_page(browser, f"{url}/#/clouds", 780)
    page.locator("article").first.wait_for()
    take(page, file)


def open_page(browser: Any, url: str, height: int) -> Any:
    """Open the console; return the page when it has live data."""
    page = browser.new_page(viewport={"width": 1200, "height": height})
    page.goto(url)
    page.locator("#live[data-state=live]").wait_for()
    return page


def take(page: Any, file: Path) -> None:
    """Write a picture of the window, with few colours, which text does not need."""
    from PIL import Image

    picture = Image.open(BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size:,} bytes")  # noqa: T201  the script's report


@contextmanager
def model_server(base: Path, work: Path) -> Iterator[str]:
    """Serve versions 1 and 2 of the demo, with labels."""
    config = work / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "mnist" base_path: "{base.resolve()}" '
        'model_platform: "tensorflow" model_version_policy { specific { versions: 1 versions: 2 } }'
        ' version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 } } }'
    )
    arguments = (
        *("model-server", f"--rest_api_port={REST_PORT}", f"--port={GRPC_PORT}"),
        *(f"--model_config_file={config}", "--listen_address=127.0.0.1", "--enable_console"),
        *("--enable_batching", "--allow_version_labels_for_unavailable_models"),
    )
    with running(arguments, work / "server.log", "Exporting HTTP/REST API"):
        yield f"http://127.0.0.1:{REST_PORT}"


@contextmanager
def clouds(base: Path, work: Path) -> Iterator[str]:
    """Run the offline clouds, and release both versions to them."""
    (work / "models").mkdir()
    for version in ("1", "2"):
        shutil.copytree(base / version, work / "models" / "mnist" / version)
    project = work / "cloudserve.yaml"
    project.write_text(PROJECT)
    log = work / "clouds.log"
    with running(
        ("emulate", "--port", str(CLOUDS_PORT), "--env", "--project", str(project)),
        log,
        "console: ",
    ):
        environment = {**os.environ, **exports(log.read_text())}
        for command in COMMANDS:
            run = [str(CLOUDSERVE), *command.split()]
            subprocess.run(run, cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  its own command
        yield f"http://127.0.0.1:{CLOUDS_PORT}"


def exports(text: str) -> Mapping[str, str]:
    """Return the variables of the lines that `emulate --env` prints."""
    return dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", text, flags=re.MULTILINE))


@contextmanager
def running(arguments: tuple[str, ...], log: Path, sign: str) -> Iterator[None]:
    """Run a command until the block ends; the block begins when its log has a text."""
    with log.open("wb") as file:
        process = subprocess.Popen([CLOUDSERVE, *arguments], stdout=file, stderr=file)  # noqa: S603  its own command
    try:
        deadline = time.monotonic() + SECONDS
        while sign not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"cloudserve {' '.join(arguments)}: {log.read_text()}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
