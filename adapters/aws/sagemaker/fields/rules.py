"""The rules of a target's fields: contradictory fields are refused by name.

Sources: API reference, `TagList`, `ModelPackageContainerDefinition`. Read in November 2026.
"""

from __future__ import annotations

from cloudserve.errors import ProjectError
from cloudserve.project import Where

from .change_rules import autoscaling_rules, timeout_rules, update_rules
from .endpoint_rules import (
    machine_rules,
    multi_model_rules,
    network_rules,
    serverless_rules,
    shadow_rules,
)
from .extra import CONFIG, VARIANT
from .image import image_of
from .options import Options
from .rule import Rule
from .tags import LONGEST_TAG, SEPARATOR, tag_names

MOST_PACKAGE_VARIABLES = 16
"""Of a model package's container (API reference, `ModelPackageContainerDefinition`)."""
MOST_TAGS = 42
"""SageMaker takes 50 for a resource, cloudserve writes up to 8."""


def check_options(options: Options, where: Where) -> str:
    """Return the image that serves; raises ProjectError for fields that contradict each other."""
    rules = (
        _role,
        serverless_rules,
        shadow_rules,
        multi_model_rules,
        timeout_rules,
        update_rules,
        network_rules,
        _tags,
        _package,
        autoscaling_rules,
        _extra,
        machine_rules,
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
