"""The rules of a target's fields: contradictory fields are refused by name.

Sources: SageMaker developer guide, "Serverless Inference" (memory, concurrency, exclusions),
"Deployment guardrails" (exclusions), "Multi-model endpoints" (supported frameworks and instances);
API reference, `VpcConfig`, `TagList`. Read in November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.errors import ProjectError
from cloudserve.project import Where

from ..images import ARM, BURSTABLE, GPU, INF1, LOCAL_STORAGE, device_of, tensorflow_of
from .endpoint_config import GRACE, LONGEST, waits
from .extra import CONFIG, VARIANT
from .image import image_of
from .options import Options, Update
from .tags import LONGEST_TAG, SEPARATOR, tag_names

MEMORY_STEP = 1024
MOST_ALARMS = 10
MOST_SUBNETS, MOST_GROUPS = 16, 5
MOST_PACKAGE_VARIABLES = 16
"""Of a model package's container (API reference, `ModelPackageContainerDefinition`)."""
MOST_TAGS = 42
"""SageMaker takes 50 for a resource, cloudserve writes up to 8."""
LEAST_STEP = {Update.LINEAR: 10, Update.ROLLING: 5}


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold of a target's fields."""

    holds: bool
    field: str
    sentence: str
    hint: str | None = None


def check_options(options: Options, where: Where) -> str:
    """Return the image that serves; raises ProjectError for fields that contradict each other."""
    rules = (
        _role,
        _serverless,
        _shadows,
        _multi_model,
        _times,
        _update,
        _network,
        _tags,
        _package,
        _autoscaling,
        _extra,
        _machine,
    )
    for rule in (rule for kind in rules for rule in kind(options)):
        if not rule.holds:
            raise ProjectError(rule.sentence, where=where(rule.field), hint=rule.hint)
    return image_of(options, where)


def _role(options: Options) -> tuple[Rule, ...]:
    return (
        Rule(
            bool(options.role_arn or options.role),
            "role_arn",
            "`role_arn` is missing",
            "add `role_arn:` to the target, or `role:` with the name of a role of the account",
        ),
        Rule(
            not (options.role_arn and options.role),
            "role",
            "`role` and `role_arn` both name the role",
            "leave one of them out",
        ),
    )


def _package(options: Options) -> tuple[Rule, ...]:
    return (
        Rule(
            not options.package_group or len(options.env) <= MOST_PACKAGE_VARIABLES,
            "env",
            f"a model package has {MOST_PACKAGE_VARIABLES} variables at most, not"
            f" {len(options.env)}",
            "set fewer, or leave `package_group` out",
        ),
    )


def _tags(options: Options) -> tuple[Rule, ...]:
    names = tag_names(options.tags)
    return (
        *(
            Rule(
                not key.lower().startswith(("aws:", "cloudserve-")),
                f"tags.{key}",
                f"the tag `{key}` is reserved",
                "choose another name",
            )
            for key in options.tags
        ),
        *(
            Rule(
                bool(key) and SEPARATOR not in key and key.strip("/") == key,
                f"tags.{key}",
                f"the tag `{key}` begins or ends with / or contains {SEPARATOR}",
                f"cloudserve separates the names of a resource's tags by {SEPARATOR}: "
                "choose another name",
            )
            for key in options.tags
        ),
        Rule(len(options.tags) <= MOST_TAGS, "tags", f"at most {MOST_TAGS} are allowed"),
        Rule(
            len(names) <= LONGEST_TAG,
            "tags",
            f"the names of the tags have {len(names)} characters together, "
            f"and a tag that lists them has at most {LONGEST_TAG}",
            "choose shorter names, or fewer tags",
        ),
    )


def _serverless(options: Options) -> tuple[Rule, ...]:
    memory, alone = options.serverless_memory_mb, not options.serverless
    sizes = ", ".join(str(step * MEMORY_STEP) for step in range(1, 7))
    warm, most = options.serverless_provisioned, options.serverless_concurrency
    no = "a serverless endpoint has no"
    return (
        Rule(
            memory % MEMORY_STEP == 0,
            "serverless_memory_mb",
            f"a serverless endpoint has {sizes} MB of memory, not {memory}",
        ),
        Rule(
            warm <= most,
            "serverless_provisioned",
            f"{warm} cannot be kept warm of {most} at once",
            "raise `serverless_concurrency`",
        ),
        Rule(alone or not options.capture_percent, "capture_percent", f"{no} data capture"),
        Rule(alone or not options.async_output, "async_output", f"{no} asynchronous invocations"),
        Rule(
            alone or device_of(options.image) != "gpu",
            "image",
            f"{no} GPU, and `{options.image}` is for one",
            "name the -cpu image, or leave `image` out",
        ),
        Rule(
            alone or options.update is Update.NONE,
            "update",
            f"{no} deployment guardrails: SageMaker has them for endpoints with instances",
            "leave `update` out: a promotion then replaces the live revision at once",
        ),
    )


def _network(options: Options) -> tuple[Rule, ...]:
    subnets, groups = options.vpc
    with_instances = not options.serverless
    no = "a serverless endpoint has no"
    return (
        Rule(
            bool(subnets) == bool(groups),
            "subnets" if groups else "security_groups",
            "a VPC needs `subnets` and `security_groups`",
        ),
        Rule(len(subnets) <= MOST_SUBNETS, "subnets", f"at most {MOST_SUBNETS} are allowed"),
        Rule(len(groups) <= MOST_GROUPS, "security_groups", f"at most {MOST_GROUPS} are allowed"),
        Rule(with_instances or not subnets, "subnets", f"{no} VPC"),
        Rule(
            with_instances or not options.network_isolation,
            "network_isolation",
            f"{no} network isolation",
        ),
        Rule(with_instances or not options.volume_size_gb, "volume_size_gb", f"{no} volumes"),
    )


def _shadows(options: Options) -> tuple[Rule, ...]:
    alone = not options.shadow_percent
    who = "shadows with `shadow_percent`"
    return (
        Rule(
            alone or not options.serverless, "shadow_percent", f"a serverless endpoint has no {who}"
        ),
        Rule(
            alone or not options.async_output,
            "shadow_percent",
            f"an asynchronous endpoint has no {who}",
        ),
        Rule(
            alone or not options.instance_type.startswith(INF1),
            "shadow_percent",
            f"an endpoint of {options.instance_type} has no {who}",
            "choose another `instance_type`",
        ),
    )


def _multi_model(options: Options) -> tuple[Rule, ...]:
    alone, one = not options.multi_model, "an endpoint of many models"
    return (
        Rule(alone or not options.serverless, "serverless_memory_mb", f"{one} has instances"),
        Rule(
            alone or not options.async_output,
            "async_output",
            f"{one} has no asynchronous invocations",
        ),
        Rule(
            alone or not options.shadow_percent,
            "shadow_percent",
            f"{one} has no shadow of one of them",
        ),
        Rule(
            alone or options.update is Update.NONE,
            "update",
            f"{one} is not updated when one of them is promoted",
        ),
        Rule(
            alone or not options.package_group,
            "package_group",
            f"{one} is of no model package",
        ),
        Rule(
            alone or not options.endpoint_name,
            "endpoint_name",
            f"{one} is named by `multi_model`",
        ),
        Rule(
            alone
            or not GPU.match(options.instance_type)
            or (options.image != "" and not tensorflow_of(options.image)),
            "instance_type",
            f"{one} runs AWS's TensorFlow image on CPUs alone",
            "choose one without a GPU, or name a container with `image`",
        ),
    )


def _autoscaling(options: Options) -> tuple[Rule, ...]:
    wanted = options.autoscaling
    if wanted is None:
        return ()
    count, is_async = options.instance_count, bool(options.async_output)
    by_requests, by_backlog = wanted.invocations_per_instance, wanted.backlog_per_instance
    return (
        Rule(not options.serverless, "autoscaling", "a serverless endpoint has no instances"),
        Rule(
            not BURSTABLE.match(options.instance_type),
            "autoscaling",
            f"SageMaker does not scale burstable instances such as {options.instance_type}",
            "choose another `instance_type`, such as ml.m5.large",
        ),
        Rule(
            bool(by_requests) != bool(by_backlog),
            "autoscaling",
            "`autoscaling` needs one of `invocations_per_instance` and `backlog_per_instance`",
        ),
        Rule(
            is_async or not by_backlog,
            "autoscaling.backlog_per_instance",
            "only an asynchronous endpoint has a backlog",
            "choose `invocations_per_instance`, or set `async_output`",
        ),
        Rule(
            wanted.min > 0 or (is_async and by_backlog > 0),
            "autoscaling.min",
            "only an asynchronous endpoint scales to 0 instances, by `backlog_per_instance`",
            "set `min` to 1 or more",
        ),
        Rule(
            max(wanted.min, 1) <= count <= wanted.max,
            "autoscaling" if options.instance_count == 1 else "instance_count",
            f"`instance_count` is {count}, and `autoscaling` keeps {wanted.min} to {wanted.max}",
            "set `instance_count`, with which an endpoint begins, to a number between them",
        ),
    )


def _machine(options: Options) -> tuple[Rule, ...]:
    kind = "" if options.serverless else options.instance_type
    has_disks = LOCAL_STORAGE.match(kind) is not None
    return (
        Rule(
            not (has_disks and options.volume_size_gb),
            "volume_size_gb",
            f"{kind} has disks of its own, and SageMaker attaches no volume to it",
            "leave it out",
        ),
        Rule(
            not (ARM.match(kind) and tensorflow_of(options.image)),
            "instance_type",
            f"`{options.image}` is for x86-64, and {kind} has Arm processors",
            "choose one with an Intel, AMD or NVIDIA chip",
        ),
    )


def _extra(options: Options) -> tuple[Rule, ...]:
    fields = options.extra.get(CONFIG, {})
    return (
        Rule(
            "AsyncInferenceConfig" not in fields or bool(options.async_output),
            f"extra.{CONFIG}.AsyncInferenceConfig",
            "`AsyncInferenceConfig` needs `async_output`",
        ),
        Rule(
            "DataCaptureConfig" not in fields or options.capture_percent > 0,
            f"extra.{CONFIG}.DataCaptureConfig",
            "`DataCaptureConfig` needs `capture_percent`",
        ),
        Rule(
            "ManagedInstanceScaling" not in options.extra.get(VARIANT, {}),
            f"extra.{VARIANT}.ManagedInstanceScaling",
            "SageMaker scales only the instances of inference components by itself",
            "use the field `autoscaling`",
        ),
    )


def _times(options: Options) -> tuple[Rule, ...]:
    least = 60
    return tuple(
        Rule(value == 0 or value >= least, name, f"SageMaker takes {least} s or more, not {value}")
        for name, value in (
            ("download_seconds", options.download_seconds),
            ("startup_seconds", options.startup_seconds),
        )
    )


def _update(options: Options) -> tuple[Rule, ...]:
    least = LEAST_STEP.get(options.update, 1)
    takes, alarms = waits(options), options.alarm_names
    return (
        Rule(
            options.update is Update.NONE or not options.instance_type.startswith(INF1),
            "update",
            f"SageMaker moves all traffic of {options.instance_type} at once, and watches nothing",
            "leave `update` out, or choose another `instance_type`",
        ),
        Rule(
            options.update_percent >= least,
            "update_percent",
            f"a {options.update} update moves {least} to 50 % at once, not "
            f"{options.update_percent}",
        ),
        Rule(
            not alarms or options.update is not Update.NONE,
            "alarms",
            "alarms undo an update, and this target has none",
            "add `update: canary`, or another of all-at-once, linear and rolling",
        ),
        Rule(
            len(alarms) <= MOST_ALARMS,
            "alarms",
            f"SageMaker watches {MOST_ALARMS} alarms, not {len(alarms)}",
        ),
        Rule(
            takes + GRACE <= LONGEST,
            "update_wait_seconds",
            f"an update waits {takes} s by its steps, and SageMaker gives it {LONGEST - GRACE} s",
            "shorten it, or raise `update_percent`",
        ),
        Rule(
            takes < options.timeout_seconds,
            "timeout_seconds",
            f"an update waits {takes} s by its steps, and is waited for only "
            f"{options.timeout_seconds} s",
            "raise `timeout_seconds`, or shorten `update_wait_seconds`",
        ),
    )
