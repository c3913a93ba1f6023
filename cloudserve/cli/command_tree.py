"""The command tree: names and one-line helps here, the commands' modules loaded when they run."""

from __future__ import annotations

import difflib
import re
from importlib import import_module

import click

from cloudserve._version import __version__

# Group -> name -> (module, the line that `--help` shows); a test compares the lines with the
# commands' own.
GROUPS = {
    "Start": {
        "init": ("init", "Write a cloudserve.yaml for the models found here."),
        "inspect": ("inspect", "Show what a SavedModel holds, without TensorFlow."),
        "emulate": ("servers.emulate", "Run the offline clouds on one loopback port."),
    },
    "Release": {
        "plan": ("plan", "Show what a release would do, and do nothing."),
        "apply": ("apply", "Do what a plan in a file says."),
        "deploy": ("deploy", "Put a model version on a target, beside what is live."),
        "promote": ("promote", "Give a deployed version all traffic, or a part."),
        "rollback": ("rollback", "Give the traffic back to the version before."),
        "undeploy": ("undeploy", "Take versions, or a whole model, off a target."),
        "status": ("status", "Show what a target has of a model."),
        "history": ("history", "Show who released what, when, from which digest."),
    },
    "Use": {
        "predict": ("predict", "Send a request to a deployed model."),
        "batch": ("batch", "Predict for files of instances, in a job."),
        "pull": ("pull", "Fetch a released model's files from its bucket."),
    },
    "Serve": {
        "serve": ("servers.serve", "Serve models with TensorFlow Serving's REST and gRPC APIs."),
        "model-server": (
            "servers.model_server",
            "Run a drop-in for tensorflow_model_server, by its flags.",
        ),
    },
    "Vertex AI": {
        "image": ("image", "Write a Dockerfile for a container on Vertex AI."),
        "migrate": ("migrate", "Write the Vertex AI target that an AI Platform one becomes."),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


UNDEPLOY_WORDS = frozenset(
    {"delete", "remove", "destroy", "teardown", "takedown", "down", "rm", "del", "unpublish"}
)
"""What other tools call `undeploy`; by their letters alone some are like `deploy` or `emulate`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the groups."""
        del ctx  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"cloudserve.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was named, or say which was perhaps meant."""
        meant = _meant(args[0])
        if args[0] not in COMMANDS and meant:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{meant}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table by group, importing none."""
        del ctx
        width = max(map(len, COMMANDS))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", line) for name, (_, line) in group.items()])


def _meant(name: str) -> str:
    """Return the command that an unknown name is perhaps meant for, or ""."""
    word = re.sub(r"[-_]", "", name.lower())
    if word in UNDEPLOY_WORDS or word.startswith(("undep", "undpl")):
        return "undeploy"
    return next(iter(difflib.get_close_matches(name, COMMANDS, n=1)), "")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cloudserve", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks.  [env var: CLOUDSERVE_DEBUG]")
def cli(*, debug: bool) -> None:
    """From a TensorFlow SavedModel to a managed endpoint, rehearsed offline first.

    `cloudserve init` begins, in a folder with models; `cloudserve COMMAND --help` tells more of
    each command. Values come from a flag, else the environment, else cloudserve.yaml.
    """
