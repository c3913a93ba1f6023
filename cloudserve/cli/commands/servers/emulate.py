"""`cloudserve emulate`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudserve.cli.commands.servers.emulate_verbs import ARGUMENTS, VERBS, WithVerbs, data_option
from cloudserve.cli.flag_variables import LINE
from cloudserve.cli.options import (
    Number,
    deny_ops_option,
    load,
    project_file_option,
)
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.recording import record_options, take_recording
from cloudserve.cli.servers.child import bypass_proxies, check_command, kept_stderr, run_beside
from cloudserve.cli.servers.logs import FORMS, log_to_stderr
from cloudserve.cli.servers.loop import run_models_until_stopped
from cloudserve.cli.servers.variables import (
    container_env_option,
    forget_accounts,
    forget_endpoints,
    print_exports,
)
from cloudserve.local.servers import EmulateCommand

if TYPE_CHECKING:
    from cloudserve.images.rehearsal import Rehearsal
    from cloudserve.local.interception import Interception

_PORT = 8900
_LOOPBACK = "127.0.0.1"


# A COMMAND's own options are not those of `emulate`.
@click.command("emulate", cls=WithVerbs, context_settings={"allow_interspersed_args": False})
@click.option(
    "--port",
    type=Number(0, 65535),
    envvar="CLOUDSERVE_EMULATOR_PORT",
    show_envvar=True,
    help="The loopback port, 8900 by default; 0, the default with a COMMAND and with --detach, "
    "picks a free one.",
)
@click.option(
    "--host",
    default=_LOOPBACK,
    show_default=True,
    help="The address to listen on; any but a loopback one implies `--auth strict`.",
)
@data_option(required=False)
@click.option(
    "--latency",
    type=click.Choice(["instant", "realistic"]),
    default="instant",
    help="The duration of operations: only their actual work, or as long as in the cloud.",
)
@click.option(
    "--faults",
    type=NamedPath(exists=True, dir_okay=False),
    help="Inject faults by the rules in this YAML file.",
)
@click.option(
    "--auth",
    type=click.Choice(["ignore", "strict"]),
    default="ignore",
    help="Whether AWS requests must be signed with the printed key, and Google's have a token of "
    "the printed service account.",
)
@click.option(
    "--deny",
    metavar="ACTION,...",
    multiple=True,
    help="Refuse these actions as IAM does, such as `sagemaker:CreateEndpoint` or "
    "`aiplatform.endpoints.deploy`; `*` stands for anything; can be repeated.",
)
@click.option(
    "--policy",
    "policies",
    type=NamedPath(exists=True, dir_okay=False),
    multiple=True,
    help="Allow AWS requests by this IAM policy document only; can be repeated.",
)
@click.option(
    "--limit",
    "limits",
    metavar="TYPE=N",
    multiple=True,
    help="Refuse SageMaker endpoints above this quota of a region, such as `ml.c5.xlarge=2`; can "
    "be repeated. There is none by default.",
)
@click.option(
    "--install-requirements",
    is_flag=True,
    help="Install the code/requirements.txt of SageMaker models, each into its own folder.",
)
@deny_ops_option("scan")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="Also answer requests to this host name and from its web pages; can be repeated.",
)
@click.option(
    "--rehearse",
    "commands",
    type=LINE,
    multiple=True,
    metavar="IMAGE=COMMAND",
    help="Run this command for containers of a custom image, in addition to the project file's "
    "(`rehearse`); can be repeated.",
)
@click.option(
    "--console/--no-console", default=True, help="Show browsers a page about the clouds at /."
)
@record_options
@project_file_option
@container_env_option()
@click.option(
    "--intercept",
    is_flag=True,
    help="Answer COMMAND under the real hosts of AWS and Google Cloud, through a proxy; refuse "
    "its requests to all other hosts.",
)
@click.option(
    "--env", "as_exports", is_flag=True, help="Print shell exports only, and keep running."
)
@click.option(
    "--detach",
    is_flag=True,
    help="Run in the background, with --data; return when the offline clouds answer.",
)
@click.argument("argv", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def command(  # noqa: PLR0913 - one parameter per option
    *,
    argv: tuple[str, ...],
    port: int | None,
    as_exports: bool,
    detach: bool,
    container_env: Mapping[str, str],
    commands: tuple[str, ...],
    project_file: Path,
    **options: Any,
) -> None:
    """Run the offline clouds on one loopback port.

    Serves real models to unmodified AWS and Google clients until it is stopped (Ctrl-C). The
    variables that point a client at it are printed on standard output once it is ready.

    With a COMMAND, runs the command with these variables set, without the credentials of real
    accounts, and stops when the command ends, with its exit code. With --intercept, the command
    needs no variable that names an endpoint.

    With --detach, keeps running in the background, for several steps of a job: `cloudserve
    emulate status` prints the variables then, `cloudserve emulate stop` ends it.
    """
    from cloudserve import registry

    _check_usage(argv, as_exports=as_exports, detach=detach, data=options["data"])
    if options["intercept"] and not argv:
        raise click.UsageError("`--intercept` needs a COMMAND: `emulate --intercept -- COMMAND`")
    if detach:
        _detach(options["data"], port, as_exports=as_exports)
        return
    log_to_stderr(FORMS[0])
    _warn_of(options["host"])
    typed = dict(os.environ)
    forget_accounts(os.environ)
    shell = dict(os.environ)
    stderr = click.get_current_context().with_resource(kept_stderr())
    local_server = registry.local_server()
    emulator = local_server.emulator(
        EmulateCommand(
            port=port if port is not None else 0 if argv else _PORT,
            container_variables=container_env,
            rehearsals=_rehearsals(project_file, commands),
            recording=take_recording(click.get_current_context(), options),
            project=project_file if project_file.exists() else None,
            **options,
        )
    )

    def environment() -> Mapping[str, str]:
        # Without the variables that this process sets for its own TensorFlow.
        inherited = forget_endpoints(shell) if options["intercept"] else shell
        return {**inherited, **bypass_proxies(inherited), **emulator.environment()}

    def announce() -> None:
        # The page's releases call these clouds from this process, past the shell's proxy.
        os.environ.update({**bypass_proxies(os.environ), **emulator.environment()})
        _announce(emulator.environment(), typed, as_exports=as_exports)
        if emulator.console_url:
            click.echo(f"console: {emulator.console_url}", err=True)

    if argv:

        def report() -> None:
            _report(emulator.interception())

        code = local_server.run(run_beside(emulator, argv, environment, stderr, report))
        click.get_current_context().exit(code)
    local_server.run(run_models_until_stopped(emulator, announce))


def _warn_of(host: str) -> None:
    """Say what a server on a network means."""
    from cloudserve.release.destination import is_loopback

    if not is_loopback(f"//[{host}]" if ":" in host else f"//{host}"):
        click.echo(
            f"warning: every machine that reaches {host} can use these clouds and run models on "
            "this one: the keys are known, and Cloud Storage asks for none. Signatures and tokens "
            "are checked (--auth strict)",
            err=True,
        )


def _report(interception: Interception | None) -> None:
    for sentence in interception.sentences() if interception else ():
        click.echo(f"cloudserve: {sentence}", err=True)


def _rehearsals(project_file: Path, commands: Iterable[str]) -> dict[str, Rehearsal]:
    """Return the commands for images from the project file, if it exists, and the options."""
    from cloudserve.images.rehearsal import of_options, of_project

    source = click.get_current_context().get_parameter_source("project_file")
    # A file that was named must exist; load says so.
    is_named = source is not click.core.ParameterSource.DEFAULT
    has_project = project_file.exists() or is_named
    from_project = of_project(load(project_file, ())) if has_project else {}
    rehearsals = from_project | of_options(commands, Path.cwd())
    for image, rehearsal in rehearsals.items():
        click.echo(f"{image} is run by `{shlex.join(rehearsal.command)}`", err=True)
    return rehearsals


def _check_usage(
    argv: tuple[str, ...], *, as_exports: bool, detach: bool, data: Path | None
) -> None:
    if detach and data is None:
        raise click.UsageError("`--detach` needs `--data DIR`, where `emulate stop` finds it")
    if argv and detach:
        raise click.UsageError("`--detach` takes no COMMAND: the clouds stop when it ends")
    if argv and argv[0] in VERBS and shutil.which(argv[0]) is None:
        raise click.UsageError(f"`{argv[0]}` comes first: cloudserve emulate {argv[0]} --data DIR")
    if argv:
        check_command(argv)
        if as_exports:
            raise click.UsageError("`--env` prints variables that a COMMAND is given already")


def _detach(data: Path, port: int | None, *, as_exports: bool) -> None:
    from cloudserve.cli.servers.detached import LOG, start_detached
    from cloudserve.local.running import read_running

    context = click.get_current_context()
    arguments = [text for text in context.meta[ARGUMENTS] if text != "--detach"]
    # Before the arguments that were given: they may end with `--`.
    if not start_detached([*(() if port is not None else ("--port", "0")), *arguments], data):
        context.exit(2)
    running = read_running(data)
    assert running is not None
    if as_exports:
        print_exports(running.environment)
        return
    click.echo(f"The offline clouds run on {running.url}; their log is {data / LOG}.")
    click.echo("To point a client at them, and to stop them, run:\n")
    click.echo(f'eval "$(cloudserve emulate status --data {shlex.quote(str(data))} --env)"')
    click.echo(f"cloudserve emulate stop --data {shlex.quote(str(data))}")


def _announce(
    environment: Mapping[str, str], shell: Mapping[str, str], *, as_exports: bool
) -> None:
    url = environment["AWS_ENDPOINT_URL"]
    if not as_exports:
        click.echo(f"The offline clouds are ready on {url}.")
        click.echo("Ctrl-C stops them. To point a client at them,")
        click.echo("run in another shell:\n")
    print_exports(environment, shell)
    if as_exports:
        click.echo(f"# ready on {url}")
    sys.stdout.flush()
