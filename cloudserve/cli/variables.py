"""Variables: what containers are given, and what a shell holds of real accounts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

STRAYING = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS"),
    *("AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"),
    "AWS_ENDPOINT_URL_CLOUDWATCH",
)
"""What a shell may hold that leads AWS clients past the emulator, or that they send to it."""
_OF_ACCOUNTS = ("AWS_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_")


def container_env_option(beginning: str = "") -> Callable[[Function], Function]:
    """Return the option that passes variables to the containers that run models' code."""
    return click.option(
        "--container-env",
        multiple=True,
        metavar="NAME[=VALUE]",
        callback=_read,
        help=f"{beginning}A variable for models' code, which gets none of the shell's; without a "
        "value the shell's own. May be repeated.",
    )


def _read(
    context: click.Context, parameter: click.Parameter, given: Iterable[str]
) -> dict[str, str]:
    variables = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or (not equals and name not in os.environ):
            problem = "is not set in this shell" if name else "has no name"
            raise click.BadParameter(f"`{text}` {problem}", context, parameter)
        variables[name] = value if equals else os.environ[name]
    return variables


def forget_accounts(environ: MutableMapping[str, str]) -> None:
    """Take the variables of AWS and Google Cloud out of an environment.

    The emulator is offline, and a model's graph that it runs may look for credentials.
    """
    for name in [name for name in environ if name.startswith(_OF_ACCOUNTS)]:
        del environ[name]
