"""Checks before a release: what SageMaker would refuse, and later surprises as warnings.

Sources: SageMaker developer guide, "Real-time inference" (payloads); the runtime's service model
for the largest body. Read in November 2026.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudserve.errors import UserError
from cloudserve.project import Where
from cloudserve.release.planning.fitness import check_own_image, check_prebuilt
from cloudserve.release.types import Artifact
from cloudserve.storage.contract import BlobStore

from ....own_image import not_rehearsed
from ..images import GPU, device_of, tensorflow_of
from ..model_files.inference_script import check_code, check_needs_no_network
from ..options import Options

if TYPE_CHECKING:
    from ..api import SageMaker

MB = 2**20
LARGEST_BODY = 6_291_456
LARGEST_SERVERLESS_BODY = 4 * MB


@dataclass(frozen=True, slots=True)
class Place:
    """What a model is released to."""

    where_of: Where
    """The location of a field of the target."""
    bucket: str
    """The bucket's name."""
    image: str

    @classmethod
    def of(cls, where_of: Where, blobs: BlobStore, image: str) -> Place:
        """Return the place of a target with this bucket."""
        return cls(where_of, blobs.url.removeprefix("s3://"), image)


def check(artifact: Artifact, options: Options, place: Place, api: SageMaker) -> tuple[str, ...]:
    """Return what to warn of.

    Raises UserError for what SageMaker would refuse, ModelError for a model or code that its
    container could not use.
    """
    _check_instances(options, place, api)
    _check_memory(artifact, options, place)
    _check_region(options.region, place.bucket, api)
    _check_alarms(options, place, api)
    old = _check_model(artifact, place.image, options.rehearse)
    return (*old, *_check_code(artifact, options, place), *_idle_gpu(options, place.image))


def _check_model(artifact: Artifact, image: str, rehearse: Mapping[str, str]) -> tuple[str, ...]:
    if version := tensorflow_of(image):
        return check_prebuilt(artifact, image, version)
    return (*check_own_image(artifact, image), *not_rehearsed(image, rehearse))


def _check_code(artifact: Artifact, options: Options, place: Place) -> tuple[str, ...]:
    # Which code another container looks for is its own affair.
    if artifact.path is None or not tensorflow_of(place.image):
        return ()
    if options.network_isolation:
        check_needs_no_network(artifact.path, place.where_of("network_isolation"))
    return check_code(artifact.path, many=bool(options.multi_model))


def _check_instances(options: Options, place: Place, api: SageMaker) -> None:
    kind, known = options.instance_type, api.instance_types()
    if options.serverless or kind in known:
        return
    close = difflib.get_close_matches(kind, known, n=3)
    raise UserError(
        f"`{kind}` is no instance type for endpoints that this boto3 knows",
        where=place.where_of("instance_type"),
        hint=f"did you mean {' or '.join(close)}?" if close else "such as ml.m5.large",
    )


def _check_memory(artifact: Artifact, options: Options, place: Place) -> None:
    memory = options.serverless_memory_mb * MB
    if options.serverless and artifact.size >= memory:
        raise UserError(
            f"the model has {artifact.size:,} bytes, and the endpoint {memory:,} of memory",
            where=place.where_of("serverless_memory_mb"),
            hint="raise it (6144 is the most), or leave it out and use instances",
        )


def _check_region(region: str, bucket: str, api: SageMaker) -> None:
    actual = api.bucket_region(bucket)
    if actual not in {None, region}:
        raise UserError(
            f"the bucket is in {actual} and the endpoint in {region}",
            where=f"s3://{bucket}",
            hint="SageMaker reads models from a bucket of its own region: choose a bucket or "
            "`region`",
        )


def _check_alarms(options: Options, place: Place, api: SageMaker) -> None:
    if not options.alarm_names:
        return
    known = api.alarms(options.alarm_names)
    missing = [name for name in options.alarm_names if name not in known]
    if missing:
        raise UserError(
            f"there is no CloudWatch alarm {', '.join(missing)} in {options.region}",
            where=place.where_of("alarms"),
            hint="create it, or correct `alarms`",
        )


def _idle_gpu(options: Options, image: str) -> tuple[str, ...]:
    has_gpu = not options.serverless and GPU.match(options.instance_type)
    if has_gpu and device_of(image) == "cpu":
        return (f"{image} does not use the GPU of {options.instance_type}",)
    if not has_gpu and device_of(image) == "gpu":
        return (f"{image} is for a GPU, and {options.instance_type} has none",)
    return ()


def check_body(body: bytes, options: Options) -> None:
    """Raise UserError for a request that is larger than the endpoint takes."""
    if options.async_output:
        return
    limit = LARGEST_SERVERLESS_BODY if options.serverless else LARGEST_BODY
    if len(body) > limit:
        raise UserError(
            f"the request has {len(body):,} bytes; "
            f"{'a serverless' if options.serverless else 'an'} endpoint takes {limit:,}",
            hint="send fewer instances at once"
            + ("" if options.serverless else ", or answer asynchronously (`async_output`)"),
        )
