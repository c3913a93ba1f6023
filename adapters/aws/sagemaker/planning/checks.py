"""Checks before a release: what SageMaker would refuse, and later surprises as warnings.

Sources: SageMaker developer guide, "Real-time inference" (payloads); the runtime's service model
for the largest body. Read in November 2026.
"""

from __future__ import annotations

import difflib

from cloudserve.errors import UserError
from cloudserve.plural import counted
from cloudserve.release.planning.fitness import check_own_image, check_prebuilt
from cloudserve.release.types import Artifact

from ....own_image import not_rehearsed
from ..context import AwsContext
from ..fields.options import Options
from ..images import GPU, LOCAL_STORAGE, device_of, tensorflow_of
from ..model_files.inference_script import check_code, check_needs_no_network

_OCI = "application/vnd.oci."
MB = 2**20
LARGEST_BODY = 6_291_456
LARGEST_SERVERLESS_BODY = 4 * MB


def check(artifact: Artifact, aws: AwsContext) -> tuple[str, ...]:
    """Return what to warn of.

    Raises UserError for what SageMaker would refuse, ModelError for a model or code that its
    container could not use.
    """
    _check_instances(aws)
    _check_memory(artifact, aws)
    _check_account(aws)
    check_bucket_region(aws)
    alarms = _check_alarms(aws)
    _check_manifest(aws)
    old = _check_model(artifact, aws.image, aws.options)
    code = _check_code(artifact, aws)
    idle = _idle_gpu(aws.options, aws.image)
    return (*old, *code, *alarms, *idle, *_unused_key(aws.options))


def _check_model(artifact: Artifact, image: str, options: Options) -> tuple[str, ...]:
    gpu = _has_gpu(options) and device_of(image) != "cpu"
    if version := tensorflow_of(image):
        return check_prebuilt(artifact, image, version, gpu=gpu)
    own = check_own_image(artifact, image, gpu=gpu)
    return (*own, *not_rehearsed(image, options.rehearse))


def _check_code(artifact: Artifact, aws: AwsContext) -> tuple[str, ...]:
    # Which code another container looks for is its own affair.
    if artifact.path is None or not tensorflow_of(aws.image):
        return ()
    if aws.options.network_isolation:
        check_needs_no_network(artifact.path, aws.where_of("network_isolation"))
    return check_code(artifact.path, many=bool(aws.options.multi_model))


def _check_instances(aws: AwsContext) -> None:
    kind, known = aws.options.instance_type, aws.api.instance_types()
    if aws.options.serverless or kind in known:
        return
    close = difflib.get_close_matches(kind, known, n=3)
    raise UserError(
        f"`{kind}` is not an instance type for endpoints that this boto3 knows",
        where=aws.where_of("instance_type"),
        hint=f"did you mean {' or '.join(close)}?" if close else "name one, such as ml.m5.large",
    )


def _check_memory(artifact: Artifact, aws: AwsContext) -> None:
    memory = aws.options.serverless_memory_mb * MB
    if aws.options.serverless and artifact.size >= memory:
        raise UserError(
            f"the model has {counted(artifact.size, 'byte')}, "
            f"and the endpoint {memory:,} of memory",
            where=aws.where_of("serverless_memory_mb"),
            hint="raise it (6144 is the most), or leave it out and use instances",
        )


def _check_account(aws: AwsContext) -> None:
    """Refuse a role of another account than the calls reach, such as with another profile.

    Source: IAM user guide, "Grant a user permissions to pass a role to an AWS service": the role
    is of the same account. An account that STS does not tell is not compared.
    """
    role, here = aws.options.role_arn, aws.api.destination(aws.options.region)
    account = role.split(":")[4] if role else ""
    if not account or here.is_offline or here.account in {"", f"account {account}"}:
        return
    raise UserError(
        f"the role is of account {account}, and the calls reach {here.account}",
        where=aws.where_of("role_arn"),
        hint="use credentials of the role's account (`profile`), or name a role of this one: "
        "SageMaker takes no role of another account",
    )


def check_bucket_region(aws: AwsContext) -> str | None:
    """Return the region of the target's bucket; None if there is none, or it cannot be read.

    Raises UserError if it is not the endpoint's.
    """
    bucket, region = aws.blobs.url.removeprefix("s3://"), aws.options.region
    actual = aws.api.bucket_region(bucket)
    if actual not in {None, region}:
        raise UserError(
            f"the bucket is in {actual} and the endpoint in {region}",
            where=f"s3://{bucket}",
            hint="SageMaker reads models from a bucket of its own region: choose a bucket or "
            "`region`",
        )
    return actual


def _check_alarms(aws: AwsContext) -> tuple[str, ...]:
    """Return what to say of alarms that are in ALARM now.

    "If your old fleet trips the alarm during the deployment, SageMaker terminates your deployment"
    (developer guide, "Auto-Rollback Configuration and Monitoring").
    """
    if not aws.options.alarm_names:
        return ()
    known = aws.api.alarms(aws.options.alarm_names)
    missing = [name for name in aws.options.alarm_names if name not in known]
    if missing:
        raise UserError(
            f"there is no CloudWatch alarm {', '.join(missing)} in {aws.options.region}",
            where=aws.where_of("alarms"),
            hint="create it, or correct `alarms`",
        )
    return tuple(
        f"the CloudWatch alarm {name} is in ALARM: SageMaker ends an update while one is"
        for name in aws.options.alarm_names
        if known[name] == "ALARM"
    )


def _check_manifest(aws: AwsContext) -> None:
    """Refuse an image that CreateModel refuses: "Unsupported manifest media type …".

    Source: aws/amazon-sagemaker-feedback#180, mlflow#13834.
    """
    if tensorflow_of(aws.image):
        return
    kind = aws.api.images.media_type(aws.image, aws.options.region)
    if kind.startswith(_OCI):
        raise UserError(
            f"SageMaker takes no image with an OCI manifest, and {aws.image} has one ({kind})",
            where=aws.where_of("image"),
            hint="push it with Docker's manifest: `docker buildx build --provenance=false --output "
            "type=image,oci-mediatypes=false,push=true …`, or `cloudserve image build --push`",
        )


def _idle_gpu(options: Options, image: str) -> tuple[str, ...]:
    has_gpu = _has_gpu(options)
    if has_gpu and device_of(image) == "cpu":
        return (f"{image} does not use the GPU of {options.instance_type}",)
    if not has_gpu and device_of(image) == "gpu":
        return (f"{image} is for a GPU, and {options.instance_type} has none",)
    return ()


def _unused_key(options: Options) -> tuple[str, ...]:
    """Return what to say of a key for an instance without a volume.

    SageMaker accepts it, because the policies of a company may require one: "the KmsKeyId parameter
    does not encrypt instance local storage" (API reference, CreateEndpointConfig).
    """
    if options.serverless or not options.kms_key or not LOCAL_STORAGE.match(options.instance_type):
        return ()
    kind = options.instance_type
    return (f"`kms_key` does not encrypt the disks of {kind}: the instance does, with its own key",)


def _has_gpu(options: Options) -> bool:
    return not options.serverless and GPU.match(options.instance_type) is not None


def largest_body(options: Options) -> int:
    """Return the largest request in bytes; 0 for asynchronous ones, which are in the bucket.

    The newest service model (November 2026) has 6,291,456 for `InvokeEndpoint`.
    """
    if options.async_output:
        return 0
    return LARGEST_SERVERLESS_BODY if options.serverless else LARGEST_BODY


def check_body(body: bytes, options: Options) -> None:
    """Raise UserError for a request that is larger than the endpoint takes."""
    limit = largest_body(options)
    if limit and len(body) > limit:
        raise UserError(
            f"the request has {counted(len(body), 'byte')}; "
            f"{'a serverless' if options.serverless else 'an'} endpoint takes {limit:,}",
            hint="send fewer instances at once"
            + ("" if options.serverless else ", or answer asynchronously (`async_output`)"),
        )
