"""Environment variables: those for containers, and those that point to real accounts."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from cloudserve.cli.flag_variables import LINE
from cloudserve.cli.servers.child import bypass_proxies

Function = TypeVar("Function", bound=Callable[..., Any])

_ENDPOINT_URL = "AWS_ENDPOINT_URL_"
_ANY_ENDPOINT_URL = re.compile(r"AWS_ENDPOINT_URL_\w+", re.ASCII)
"""The name of such a variable in a shell, which is to evaluate it: a process may have any name."""
_SERVICES = (
    *("APPLICATION_AUTO_SCALING", "CLOUDWATCH", "CLOUDWATCH_LOGS", "ECR", "IAM", "S3"),
    *("SAGEMAKER", "SAGEMAKER_RUNTIME", "SERVICE_QUOTAS", "SNS", "STS"),
)
VARIABLES_TO_UNSET = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT"),
    *(f"{_ENDPOINT_URL}{service}" for service in _SERVICES),
)
"""Variables that make AWS clients bypass the emulator, send it real credentials, or refuse it."""
_ENDPOINTS = frozenset(
    ("BOTO_CONFIG", "BOTO_PATH", "S3_ENDPOINT", "S3_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")
)
_ENDPOINT_PREFIXES = (
    *("STORAGE_EMULATOR_HOST", "GCE_METADATA_", "FSSPEC_S3", "FSSPEC_GCS", "FSSPEC_GS"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "GRPC_PROXY", "NO_GRPC_PROXY"),
)
_ACCOUNT_PREFIXES = ("AWS_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_")


def container_env_option(prefix: str = "") -> Callable[[Function], Function]:
    """Return the option that passes variables to containers; `prefix` begins its help text."""
    return click.option(
        "--container-env",
        type=LINE,
        multiple=True,
        metavar="NAME[=VALUE]",
        callback=_read,
        help=f"{prefix}Set a variable for models' code, which does not inherit the shell's "
        "environment. Without VALUE, pass the shell's variable. Can be repeated.",
    )


def _read(
    context: click.Context, parameter: click.Parameter, settings: Iterable[str]
) -> dict[str, str]:
    variables = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not name or (not equals and name not in os.environ):
            problem = "is not set in this shell" if name else "has no name"
            raise click.BadParameter(f"`{text}` {problem}", context, parameter)
        variables[name] = value if equals else os.environ[name]
    return variables


def forget_accounts(environ: MutableMapping[str, str]) -> None:
    """Remove the variables of AWS and Google Cloud from an environment.

    The emulator is offline, and the graph of a model that it runs might look for credentials.
    """
    for name in [name for name in environ if name.startswith(_ACCOUNT_PREFIXES)]:
        del environ[name]


def forget_endpoints(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without variables that lead SDKs past the proxy of `--intercept`.

    These name other endpoints, proxies and configuration files than the proxy's variables.
    """
    return {
        name: value
        for name, value in environ.items()
        if name not in _ENDPOINTS and not name.upper().startswith(_ENDPOINT_PREFIXES)
    }


FAILURE = "echo 'cloudserve emulate failed: no variable is set' >&2\nfalse"
"""What a shell gets instead of exports: an empty text would leave it silently as it was."""
_PRINTED = "cloudserve.exports.printed"


class ExportsCommand(click.Command):
    """A command whose `--env` prints exports, or if it fails a line that fails in the shell."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the arguments."""
        is_asked = "--env" in args[: args.index("--")] if "--" in args else "--env" in args
        with _failing(is_asked=is_asked):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _failing(is_asked=bool(ctx.params.get("as_exports"))):
            return super().invoke(ctx)


def print_exports(environment: Mapping[str, str], shell: Mapping[str, str] | None = None) -> None:
    """Print the lines that unset the variables of real accounts and export an environment.

    `shell` are the variables of the shell, by default those of this process. With a proxy in the
    shell, also the variables that exclude this machine from it.
    """
    shell = os.environ if shell is None else shell
    click.echo("\n".join(_shell_lines({**bypass_proxies(shell), **environment}, shell)))
    click.get_current_context().find_root().meta[_PRINTED] = True


@contextmanager
def _failing(*, is_asked: bool) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        context = click.get_current_context(silent=True)
        is_printed = context is not None and context.find_root().meta.get(_PRINTED)
        code: int = getattr(error, "exit_code", 1)
        if is_asked and not is_printed and code:
            click.echo(FAILURE)
        raise


def _shell_lines(environment: Mapping[str, str], shell: Mapping[str, str]) -> list[str]:
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    # The endpoint of one service has precedence over that of all; the shell may have any.
    others = sorted(name for name in shell if _ANY_ENDPOINT_URL.fullmatch(name))
    return [f"unset {' '.join(dict.fromkeys((*VARIABLES_TO_UNSET, *others)))}", *exports]
