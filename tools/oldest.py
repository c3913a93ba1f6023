"""Print the lower bounds of the requirements in setup.cfg as constraints: `make test-oldest`.

The requirements of the extras `test` and `demo` are not among them: they are tools of this
repository, not of its users.
"""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("client", "gcp", "aws", "server", "tflite", "onnx")
_BOUND = re.compile(r"([A-Za-z0-9_.-]+)>=([^,;]+)")


def main() -> None:
    """Print `name==version` for each requirement of the core and its extras."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    lines = config["options"]["install_requires"] + "".join(extras[extra] for extra in EXTRAS)
    bounds = {match[1]: match[2] for match in _BOUND.finditer(lines)}
    sys.stdout.write("".join(f"{name}=={version}\n" for name, version in bounds.items()))


if __name__ == "__main__":
    main()
