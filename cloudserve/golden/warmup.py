"""A golden file's requests as the warm-up file of a model version."""

from __future__ import annotations

from pathlib import Path

from cloudserve import registry
from cloudserve.errors import UserError
from cloudserve.files import replace_atomically
from cloudserve.golden.file import encode, read_golden

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
"""The path in a version's directory where TensorFlow Serving looks for warm-up requests."""


def write_warmup(golden: Path, output: Path) -> int:
    """Write the requests of a golden file as `MODEL/assets.extra/tf_serving_warmup_requests`.

    Returns the number of requests. The file is written atomically. Raises UserError for another
    output, a request that does not fit the model, and a file that cannot be written.
    """
    folder = output.absolute().parent.parent
    if Path(*output.absolute().parts[-2:]) != WARMUP_FILE:
        raise UserError(
            f"a server does not look for warm-up requests in `{output}`",
            where=str(output),
            hint=f"--output MODEL/{WARMUP_FILE}, in the directory of a version",
        )
    examples = read_golden(golden).examples
    requests = [
        (f"{golden}, example {number}", encode(example.request), example.method)
        for number, example in enumerate(examples, start=1)
        if example.error is None
    ]
    data = registry.local_server().warmup_file(requests, folder)
    try:
        output.parent.mkdir(exist_ok=True)
        replace_atomically(output, data)
    except OSError as error:
        raise UserError(
            f"the warm-up file cannot be written: {error.strerror}",
            where=str(output),
            hint="name the directory of a version that you may write to",
        ) from error
    return len(requests)
