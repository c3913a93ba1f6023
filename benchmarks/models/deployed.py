"""The verdicts of `cloudserve check --for` beside deployments to the offline clouds.

    python benchmarks/models/deployed.py ../shared/models/tfs_half_plus_two_tf2 ...

Each model below the folders is deployed with each fault that fits, through each cloud's SDK, and
each signature is asked in JSON. The check for that target must find an error exactly where the
deployment fails, or a request does for what the graph is. Mistakes are printed, and end with
status 1.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faults import FAULTS, planted
from findings import TAGS, is_unable, made_up
from platforms import FAILURES, PLATFORMS, TARGETS, Ask, Clouds, put, text_of

from cloudserve import registry
from cloudserve.check.check import check_model
from cloudserve.check.finding import Severity
from cloudserve.local.offline import OfflineClouds
from cloudserve.project import load_project
from cloudserve.pytest import pointed_clouds
from cloudserve.release.planning.server_check import artifact_of, check_for_target
from cloudserve.release.provider import Provider
from cloudserve.savedmodel import list_versions, read_saved_model
from cloudserve.savedmodel.signature import Signature, TensorSpec

NO_SIGNATURE = Signature("serving_default", "", (), ())


@dataclass(frozen=True, slots=True)
class Case:
    """A model with one fault on a platform: what it answers there, and what check says."""

    fault: str
    platform: str
    failure: str
    """Why the deployment or a request failed; "" if none did."""
    is_broken: bool
    errors: tuple[str, ...]


def main(roots: Iterable[Path]) -> int:
    """Deploy all models with all faults; return the exit status."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with pointed_clouds() as offline, tempfile.TemporaryDirectory() as scratch:
        providers = _providers(Path(scratch), offline)
        clouds = Clouds(offline.url, "benchmark")
        clouds.aws.s3.create_bucket(Bucket="models")
        clouds.gcs.create_bucket("models")
        clouds.close()
        sources = [version for root in roots for version in list_versions(root).values()]
        return report([case for one in sources for case in cases(one, offline.url, providers)])


def _providers(scratch: Path, offline: OfflineClouds) -> Mapping[str, Provider]:
    file = scratch / "cloudserve.yaml"
    file.write_text(TARGETS)
    project, environment = load_project(file), offline.apply(os.environ)
    return {name: registry.provider(project.target(name), environment) for name in PLATFORMS}


def cases(source: Path, url: str, providers: Mapping[str, Provider]) -> Iterator[Case]:
    """Plant each fault in a copy of a model, and print the verdicts that are mistakes."""
    for fault, folder in planted(source):
        for platform in PLATFORMS:
            case = _case(fault, platform, folder, url, providers[platform])
            if case.is_broken != bool(case.errors):
                print(f"{source.parent.name}, {fault}, {platform}: {case}", flush=True)
            yield case


def _case(fault: str, platform: str, folder: Path, url: str, provider: Provider) -> Case:
    clouds = Clouds(url)
    place = f"{clouds.name}/{folder.name}"
    put(clouds, folder, place)
    try:
        ask = PLATFORMS[platform](clouds, place)
    except FAILURES as error:
        failure, is_broken = text_of(error), True
    else:
        failure, is_broken = _asked(ask, folder)
    clouds.close()
    return Case(fault, platform, failure, is_broken, _errors(folder, platform, provider))


def _asked(ask: Ask, folder: Path) -> tuple[str, bool]:
    """Return the failure of a request to any signature, and whether it is the graph's."""
    failure = ""
    for signature in read_saved_model(folder).signatures or (NO_SIGNATURE,):
        try:
            ask(_request(signature))
        except FAILURES as error:
            failure = text_of(error)
            if not signature.inputs or is_unable(failure, signature.method_name):
                return failure, True
    return failure, False


def _request(signature: Signature) -> Mapping[str, Any]:
    row = {spec.alias: _row(spec) for spec in signature.inputs}
    return {"signature_name": signature.name, "instances": [row]}


def _row(spec: TensorSpec) -> Any:
    array = made_up(spec)
    if spec.dtype == "string":
        array = np.full(array.shape, {"b64": ""}, object)
    return (
        array[0].tolist()
        if array.ndim > 1
        else array[0]
        if spec.dtype == "string"
        else array.tolist()[0]
    )


def _errors(folder: Path, platform: str, provider: Provider) -> tuple[str, ...]:
    checked = check_model(folder, int(folder.name), folder, TAGS)
    if checked.is_readable:
        artifact = artifact_of(checked, TAGS)
        checked = check_for_target(checked, platform, lambda: provider.check(artifact))
    return tuple(one.text for one in checked.findings if one.severity is Severity.ERROR)


def report(done: Iterable[Case]) -> int:
    """Print a line for each fault: of how many models each platform fails, and check says so."""
    all_cases = list(done)
    print(
        f"{'fault: failed / refused by check of models':44}", *(f"{name:>14}" for name in PLATFORMS)
    )
    for fault in FAULTS:
        figures = [_figures(all_cases, fault, platform) for platform in PLATFORMS]
        print(f"{fault:44}", *(f"{one:>14}" for one in figures))
    wrong = sum(one.is_broken != bool(one.errors) for one in all_cases)
    print(f"{len(all_cases)} deployments, {wrong} mistakes")
    return 1 if wrong else 0


def _figures(all_cases: Iterable[Case], fault: str, platform: str) -> str:
    of = [one for one in all_cases if (one.fault, one.platform) == (fault, platform)]
    failed, refused = sum(one.is_broken for one in of), sum(bool(one.errors) for one in of)
    return f"{failed} / {refused} of {len(of)}"


if __name__ == "__main__":
    sys.exit(main(map(Path, sys.argv[1:])))
