"""Checks of an account for what a release to SageMaker needs: role, permissions, bucket, quota.

Each needs a permission that a release itself does not: without it the check is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from cloudserve.doctor.result import Result, Status
from cloudserve.errors import CloudserveError, RemoteError, UserError

from ..errors import is_denied
from .api.identity import SERVICE, Need
from .context import AwsContext
from .fields.options import Options
from .planning.checks import check_bucket_region

_ENDPOINT = (
    *("AddTags", "CreateEndpoint", "DeleteEndpoint", "DescribeEndpoint", "InvokeEndpoint"),
    *("ListTags", "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities"),
)
_CONFIG = ("AddTags", "CreateEndpointConfig", "DescribeEndpointConfig")
_MODEL = ("AddTags", "CreateModel", "DeleteModel", "DescribeModel", "ListTags")
_LISTS = ("ListEndpoints", "ListModels")
_OBJECTS = ("s3:DeleteObject", "s3:GetObject", "s3:PutObject")
_PASSED_TO = {"iam:PassedToService": SERVICE}
_SUFFIX = "-v1-000000000000"
"""The end of the names of a revision's resources, as an example."""
_POLICY = "grant them: docs/how-to/use-a-company-account.md has a policy"


def needs_of(context: AwsContext, account: str, models: Sequence[str]) -> tuple[Need, ...]:
    """Return what deploy, promote, rollback and predict need (docs: use-a-company-account)."""
    partition, region = context.role_arn.split(":")[1], context.options.region
    place = f"arn:{partition}:sagemaker:{region}:{account}"
    names = [context.names.endpoint(model) for model in models]
    bucket = f"arn:{partition}:s3:::{context.blobs.url.removeprefix('s3://')}"

    def named(actions: tuple[str, ...], kind: str, suffix: str = "") -> Need:
        arns = tuple(f"{place}:{kind}/{name}{suffix}" for name in names)
        return Need(tuple(f"sagemaker:{action}" for action in actions), arns)

    return (
        named(_ENDPOINT, "endpoint"),
        named(_CONFIG, "endpoint-config", _SUFFIX),
        named(_MODEL, "model", _SUFFIX),
        Need(tuple(f"sagemaker:{action}" for action in _LISTS), ("*",)),
        Need(("iam:PassRole",), (context.role_arn,), _PASSED_TO),
        Need(("s3:ListBucket",), (bucket,)),
        Need(_OBJECTS, (f"{bucket}/cloudserve/file",)),
    )


def diagnose(context: AwsContext, models: Sequence[str]) -> Iterator[Result]:
    """Yield the results; nothing is changed."""
    yield _guarded("endpoint role", partial(_role, context), "iam:GetRole")
    yield _guarded(
        "permissions", partial(_permissions, context, models), "iam:SimulatePrincipalPolicy"
    )
    yield _guarded("bucket's region", partial(_region, context), "s3:ListBucket")
    if not context.options.serverless_memory_mb:
        yield _guarded("quota", partial(_quota, context), "servicequotas:ListServiceQuotas")


def _guarded(id_: str, check: Callable[[], Result], action: str) -> Result:
    """Return the result of a check, or that it could not be made."""
    try:
        return check()
    except CloudserveError as error:
        is_refused = isinstance(error, RemoteError) and is_denied(error)
        hint = f"{action} lets cloudserve check it" if is_refused else error.hint
        return Result(id_, Status.SKIPPED, error.message, hint=hint or "")


def _role(context: AwsContext) -> Result:
    arn = context.role_arn
    if context.api.identity.trusts(arn):
        return Result("endpoint role", Status.OK, f"SageMaker may assume {arn}")
    return Result(
        "endpoint role",
        Status.FAILED,
        f"the trust policy of {arn} does not name sagemaker.amazonaws.com",
        "CreateModel is refused",
        "add the service to the role's trust policy, for the action sts:AssumeRole",
    )


def _region(context: AwsContext) -> Result:
    id_ = "bucket's region"
    try:
        region = check_bucket_region(context)
    except UserError as error:
        why = "SageMaker refuses to read the model"
        return Result(id_, Status.FAILED, error.message, why, error.hint or "")
    if region is None:
        text = "there is no bucket yet, or its region cannot be read"
        return Result(id_, Status.SKIPPED, text)
    return Result(id_, Status.OK, f"{region}, as that of the endpoint")


def _permissions(context: AwsContext, models: Sequence[str]) -> Result:
    identity = context.api.identity
    caller = identity.caller()
    if not caller:
        return Result("permissions", Status.OK, "the root user may do everything")
    needs = needs_of(context, caller.split(":")[4], models)
    denied = sorted({action for need in needs for action in identity.denied(caller, need)})
    if denied:
        text = f"{caller} may not {', '.join(denied)}"
        return Result("permissions", Status.FAILED, text, "a release stops at the first", _POLICY)
    count = len({action for need in needs for action in need.actions})
    return Result("permissions", Status.OK, f"{caller} may do all {count} actions of a release")


def instances_of_a_release(options: Options) -> int:
    """Return the most instances at a time while a second revision is deployed and promoted.

    UpdateEndpoint starts a new fleet beside the old one (`planning.capacity`): with both revisions,
    or with one revision at a time with the new one, whose own endpoint has an instance.
    """
    count = options.instance_count
    return 2 * count + (1 if options.staged else count)


def _quota(context: AwsContext) -> Result:
    options = context.options
    quota = context.api.identity.quota(options.instance_type)
    if quota is None:
        text = f"Service Quotas does not list {options.instance_type} for endpoints"
        return Result("quota", Status.SKIPPED, text)
    needed = instances_of_a_release(options)
    text = f"{quota:.0f} of {options.instance_type} for endpoints; a release needs {needed}"
    if quota < needed:
        why = "ResourceLimitExceeded"
        hint = f"ask for more in Service Quotas: {options.instance_type} for endpoint usage"
        return Result("quota", Status.FAILED, text, why, hint)
    return Result("quota", Status.OK, text)
