"""Fields that are mutually exclusive by the kind of endpoint and its machines.

Sources: SageMaker developer guide, "Serverless Inference" (memory, concurrency, exclusions),
"Multi-model endpoints" (supported frameworks and instances); API reference, `VpcConfig`.
Read in November 2026.
"""

from __future__ import annotations

from ..images import ARM, GPU, INF1, LOCAL_STORAGE, device_of, tensorflow_of
from .options import Options, Update
from .rule import Rule

MEMORY_STEP = 1024
MOST_SUBNETS, MOST_GROUPS = 16, 5


def serverless_rules(options: Options) -> tuple[Rule, ...]:
    """Return the rules of a serverless endpoint."""
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


def network_rules(options: Options) -> tuple[Rule, ...]:
    """Return the rules of the VPC, the isolation and the volumes."""
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


def shadow_rules(options: Options) -> tuple[Rule, ...]:
    """Return the rules of a shadow variant."""
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


def multi_model_rules(options: Options) -> tuple[Rule, ...]:
    """Return the rules of an endpoint of many models."""
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


def machine_rules(options: Options) -> tuple[Rule, ...]:
    """Return the rules of the instance type."""
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
