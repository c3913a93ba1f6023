"""Load tests of a server: what to send, what was measured, and how it is shown.

    from cloudserve.bench import Load, measure
    result = measure("http://127.0.0.1:8501/v1/models/half", Load(connections=64))

Pure Python without a network: `local_server.load` sends the requests. `load` and `settings` have
the options, `histogram` the latencies, `result` the records of a measurement, `notes` the doubts
about it; `tuning` chooses batching parameters; `process` reads `/proc`, `child` starts this
project's server, `page` and `plot` write HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cloudserve.bench.result import Result
from cloudserve.bench.settings import Arrivals, Load, Request, Settings, TuneSettings
from cloudserve.bench.tuning import Tuning

__all__ = [
    "Arrivals",
    "Load",
    "Request",
    "Result",
    "Settings",
    "TuneSettings",
    "Tuning",
    "measure",
    "tune",
]


def measure(subject: str, load: Load, settings: Settings | None = None) -> Result:
    """Measure the server of a URL, or this project's server on the SavedModel of a path.

    Raises UserError for a wrong URL or payload, ModelError if the model is not loaded, RemoteError
    if the server refuses the first request, UnreachableError if no server answers,
    MissingExtraError without the extra `server`.
    """
    from cloudserve import registry

    return registry.local_server().bench(subject, load, settings or Settings())


def tune(
    path: Path | str, settings: TuneSettings, progress: Callable[[str], None] | None = None
) -> Tuning:
    """Choose batching parameters for a SavedModel and an objective, and verify them under load.

    `Tuning.rate` is None if the objective was not met. `progress` receives lines of text. Raises
    UserError for a signature that cannot be batched, ModelError if the model is not loaded,
    MissingExtraError without the extra `server`.
    """
    from cloudserve import registry

    return registry.local_server().tune(Path(path), settings, progress or (lambda _line: None))
