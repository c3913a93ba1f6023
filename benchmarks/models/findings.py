"""Precision and recall of `cloudserve check`: its verdicts beside loads as TensorFlow Serving does.

    python benchmarks/models/findings.py ../shared/models

Every model below a folder, and every model that the tests train, is checked and loaded as it is,
and with each fault that fits. The check must refuse a model that does not load, or whose signature
cannot be run (recall), and no other model (precision). Mistakes are printed, and end with status 1.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from cloudserve.local_server.runtime.loading.serving_image import ServingImage
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadedModel
from cloudserve.local_server.status import StatusError
from cloudserve.local_server.warmup import warmed
from faults import FAULTS, planted

from cloudserve.check.check import check_model
from cloudserve.check.finding import Severity
from cloudserve.errors import CloudserveError
from cloudserve.savedmodel import TensorSpec, list_versions, read_saved_model
from cloudserve.savedmodel.checks.kernel_table import read_kernel_table
from cloudserve.savedmodel.checks.op_packages import foreign_ops
from cloudserve.savedmodel.checks.op_table import read_table
from cloudserve.savedmodel.signature import PREDICT_METHOD

TAGS = ("serve",)


def models(root: Path) -> Iterator[Path]:
    """Yield the SavedModels below a folder."""
    for base in sorted(path for path in root.iterdir() if path.is_dir()):
        yield from list_versions(base).values()


def refusals(folder: Path) -> list[str]:
    """Return the errors of a check for the installed TensorFlow."""
    report = check_model(folder, int(folder.name), folder, TAGS)
    errors = [one.text for one in report.findings if one.severity is Severity.ERROR]
    if not report.is_readable:
        return errors
    ops = frozenset(read_saved_model(folder).loaded_ops)
    version = ".".join(metadata.version("tensorflow").split(".")[:2])
    missing = {
        *read_table().missing(ops - frozenset(foreign_ops(ops)), version),
        *read_kernel_table().lacking(read_saved_model(folder).kernel_ops, version, gpu=False),
    }
    refusal = read_saved_model(folder).needs.refusal(version)
    return [
        *errors,
        *(f"TensorFlow {version} cannot run the op {op}" for op in sorted(missing)),
        *([refusal] if refusal else ()),
    ]


def works(folder: Path) -> bool:
    """Return whether TensorFlow Serving's loader restores a model, and each signature can be run.

    There must be one. A request that the model refuses for its values is not a fault of the model.
    """
    try:
        load = warmed(partial(load_model, tags=TAGS, image=ServingImage()))
        with closing(load(folder)) as model:
            return bool(read_saved_model(folder).signatures) and not any(
                is_unable(*one) for one in refused(model, folder)
            )
    except CloudserveError:
        return False


def refused(model: LoadedModel, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the errors of requests to each signature, made up from it, with its method."""
    for signature in read_saved_model(folder).signatures:
        feeds = {spec.alias: made_up(spec) for spec in signature.inputs}
        try:
            model.run(signature.name, feeds)
        except StatusError as error:
            yield str(error), signature.method_name


def made_up(spec: TensorSpec) -> Any:
    """Return an array that fits an input; texts are no Examples."""
    sizes = [1 if size is None else size for size in spec.shape or ()]
    if spec.dtype == "string":
        return np.full(sizes or [1], b"", object)
    return np.zeros(sizes or [1, 1], spec.dtype.removesuffix("_ref"))


def is_unable(error: str, method: str) -> bool:
    """Return whether an error is about the graph or its variables, not about a request's values.

    Classify and Regress feed Examples, whatever dtype the signature declares.
    """
    is_of_dtype = "Expects arg[" in error and method == PREDICT_METHOD
    return is_of_dtype or any(text in error for text in UNABLE)


UNABLE = (
    "was not found in the Graph",
    "Could not find variable",
    "uninitialized value",
    "is not defined",
    "Cannot assign a device",
    "No OpKernel was registered",
    "fed more than once",
    "You must feed a value for placeholder",
    "Must specify at least one target",
    "declared output type",
    "must have the same length as the number of arguments",
    "type attr not found",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A model with one fault: whether it is broken, and whether check says so."""

    fault: str
    is_broken: bool
    is_refused: bool


def main(root: Path) -> int:
    """Check all models with all faults; return the exit status."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for what the tests train
    from trained import train

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow's library is opened
    with tempfile.TemporaryDirectory() as trained:
        with redirect_stdout(io.StringIO()):  # the exports' lines
            sources = [*models(root), *train(Path(trained))]
        return report([case for source in sources for case in cases(source)])


def cases(source: Path) -> Iterator[Case]:
    """Plant each fault in a copy of a model, and print the verdicts that are mistakes."""
    for name, folder in planted(source):
        errors = refusals(folder)
        case = Case(name, not works(folder), bool(errors))
        if case.is_broken != case.is_refused:
            print(f"{source.parent.name}/{source.name}, {name}: {errors or 'no error'}")
        yield case


def report(done: Iterable[Case]) -> int:
    """Print each fault's figures, precision and recall; return the exit status."""
    all_cases = list(done)
    print(f"{'fault':36}{'models':>8}{'broken':>8}{'refused':>8}")
    for name in FAULTS:
        of = [case for case in all_cases if case.fault == name]
        broken = sum(case.is_broken for case in of)
        print(f"{name:36}{len(of):8}{broken:8}{sum(case.is_refused for case in of):8}")
    counts = Counter((case.is_broken, case.is_refused) for case in all_cases)
    found, missed, false = counts[True, True], counts[True, False], counts[False, True]
    print(
        f"{len(all_cases)} cases: {found + missed} broken, {len(all_cases) - found - missed} sound"
    )
    print(f"precision {found / max(found + false, 1):.3f} ({false} false alarms)")
    print(f"recall {found / max(found + missed, 1):.3f} ({missed} missed)")
    return 1 if missed + false else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
