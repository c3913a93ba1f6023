"""Write the locked requirements of `cloudserve image`: one file per version of TensorFlow.

    python tools/image_locks.py [2.21 …]

Reads the requirements of setup.cfg, lets pip resolve them for the oldest Python, and adds the
hash of the wheel of each Python for Linux on x86-64. Downloads metadata only.
"""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "templates" / "image"
PYTHONS = {
    "2.18": ("3.11", "3.12"),
    "2.19": ("3.11", "3.12"),
    "2.20": ("3.11", "3.12", "3.13"),
    "2.21": ("3.11", "3.12", "3.13"),
}
"""The versions of Python for which a TensorFlow has wheels, of those that cloudserve supports."""
PLATFORMS = (
    *("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64"),
    *("manylinux2014_x86_64", "manylinux_2_5_x86_64", "manylinux1_x86_64"),
)
HEAD = """\
# Written by tools/image_locks.py: cloudserve[gcp,server] with TensorFlow {tensorflow}, for Python
# {pythons} on Linux (x86-64).
"""


def main() -> None:
    """Write the files of the named versions, by default of all."""
    for tensorflow in sys.argv[1:] or PYTHONS:
        pythons = PYTHONS[tensorflow]
        wanted = [*_requirements(), f"tensorflow=={tensorflow}.*"]
        pins: dict[str, str] = {}
        hashes: dict[str, set[str]] = {}
        for python in pythons:
            wanted += [f"{name}=={version}" for name, version in pins.items()]
            for item in _resolve(wanted, python):
                name = item["metadata"]["name"].lower().replace("_", "-")
                pins[name] = item["metadata"]["version"]
                found = item["download_info"]["archive_info"]["hashes"]["sha256"]
                hashes.setdefault(name, set()).add(found)
        head = HEAD.format(tensorflow=tensorflow, pythons=", ".join(pythons))
        text = "".join(_line(name, pins[name], hashes[name]) for name in sorted(pins))
        (OUT / f"tensorflow-{tensorflow}.txt").write_text(head + text, "utf-8")


def _line(name: str, version: str, hashes: set[str]) -> str:
    return (
        " \\\n    ".join([f"{name}=={version}", *(f"--hash=sha256:{h}" for h in sorted(hashes))])
        + "\n"
    )


def _requirements() -> list[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    lines = config["options"]["install_requires"] + extras["gcp"] + extras["server"]
    return [line for line in lines.splitlines() if line and not line.startswith("#")]


def _resolve(requirements: list[str], python: str) -> list[dict[str, Any]]:
    tag = python.replace(".", "")
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
        *("--report", "-", "--only-binary=:all:", "--target", "unused"),
        *(
            "--python-version",
            python,
            "--implementation",
            "cp",
            "--abi",
            f"cp{tag}",
            "--abi",
            "abi3",
        ),
        *("--abi", "none"),
        *(word for platform in PLATFORMS for word in ("--platform", platform)),
        *requirements,
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    items: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return items


if __name__ == "__main__":
    main()
