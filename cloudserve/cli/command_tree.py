"""The command tree: names and one-line help texts; a command's module is loaded when it runs."""

from __future__ import annotations

import difflib
import re
from importlib import import_module

import click

from cloudserve._version import __version__
from cloudserve.cli.flag_variables import add_variables, hide_empty_defaults
from cloudserve.cli.paths import refuse_empty_names
from cloudserve.cli.verbosity import add_options, options

# Group -> name -> (module, one-line help text); a test compares the texts with the commands'.
GROUPS = {
    "Start": {
        "init": ("setup.init", "Write a cloudserve.yaml for the models in a folder."),
        "inspect": (
            "models.inspect",
            "Show a SavedModel's signatures and files, without TensorFlow.",
        ),
        "check": (
            "models.check",
            "Find what a server or a platform will not do with a SavedModel.",
        ),
        "export": ("models.export", "Export a trained model as a version with signatures."),
        "repair": (
            "models.repair",
            "Write a copy of a SavedModel that TensorFlow Serving can answer with.",
        ),
        "run": ("models.run", "Run a SavedModel once on inputs of the command line or of files."),
        "diff": (
            "release.diff",
            "Compare two models, or a target with the project file and the ledger.",
        ),
        "doctor": (
            "setup.doctor",
            "Check this machine, the project, and a target's account, and say what to do.",
        ),
        "emulate": ("servers.emulate", "Run the offline clouds on one loopback port."),
    },
    "Release": {
        "plan": ("release.plan", "Show what a release would do, without doing it."),
        "apply": ("release.apply", "Carry out a plan from a file."),
        "deploy": ("release.deploy", "Deploy a model version to a target, beside the live one."),
        "promote": ("release.promote", "Send all traffic, or a part, to a deployed version."),
        "approve": (
            "release.approve",
            "Approve a version for traffic, as the gate `approval` requires.",
        ),
        "rollback": ("release.rollback", "Send the traffic back to the previous version."),
        "undeploy": ("release.undeploy", "Remove versions, or a whole model, from a target."),
        "gc": ("release.gc", "Remove old versions and leftovers, with their files in the bucket."),
        "status": (
            "release.status",
            "Show a model's versions and traffic on a target, or what runs of all models.",
        ),
        "logs": (
            "release.logs",
            "Show what the containers of a model, or of a batch job, printed.",
        ),
        "history": ("release.history", "Show a model's releases: who, what, when."),
        "ci": ("setup.ci", "Write the pipeline of a CI system."),
    },
    "Use": {
        "predict": (
            "models.predict",
            "Send a request to a deployed model, a server, or a model directory.",
        ),
        "golden": ("models.golden", "Record, show and trim golden files of requests and answers."),
        "replay": ("models.replay", "Send the requests of a golden file, and compare the answers."),
        "batch": ("models.batch", "Run predictions for files of instances as a job."),
        "pull": ("models.pull", "Download a released model from its bucket."),
    },
    "Serve": {
        "serve": ("servers.serve", "Serve models with TensorFlow Serving's REST and gRPC APIs."),
        "model-server": (
            "servers.model_server",
            "Run a drop-in replacement for tensorflow_model_server.",
        ),
        "metrics": (
            "servers.metrics",
            "Write a Grafana dashboard or Prometheus alerts for the servers' metrics.",
        ),
        "bench": ("servers.bench", "Measure a server's throughput and latency under load."),
        "tune": (
            "servers.tune",
            "Choose batching parameters for a latency objective, and verify them under load.",
        ),
    },
    "Vertex AI": {
        "image": (
            "setup.image",
            "Write a Dockerfile for a Vertex AI container, or build it without Docker.",
        ),
        "migrate": ("setup.migrate", "Convert an AI Platform target to a Vertex AI target."),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}
UNDEPLOY_WORDS = frozenset(
    {"delete", "remove", "destroy", "teardown", "takedown", "down", "rm", "del", "unpublish"}
)
"""Names of `undeploy` in other tools; by spelling, some are closer to `deploy` or `emulate`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of the groups."""
        del ctx  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"cloudserve.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        add_variables(command, cmd_name)
        hide_empty_defaults(command)
        refuse_empty_names(command)
        add_options(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for an unknown name, fail with the closest one."""
        suggestion = _suggestion(args[0])
        if args[0] not in COMMANDS and suggestion:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{suggestion}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by group, without importing their modules."""
        del ctx
        width = max(map(len, COMMANDS))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", line) for name, (_, line) in group.items()])


def _suggestion(name: str) -> str:
    """Return the command closest to an unknown name, or ""."""
    word = re.sub(r"[-_]", "", name.lower())
    if word in UNDEPLOY_WORDS or word.startswith(("undep", "undpl")):
        return "undeploy"
    return next(iter(difflib.get_close_matches(name, COMMANDS, n=1)), "")


_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(cls=LazyGroup, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="cloudserve", message="%(prog)s %(version)s")
def cli() -> None:
    """Take a TensorFlow SavedModel to a managed endpoint, rehearsed offline first.

    Start with `cloudserve init` in a folder with models. `cloudserve COMMAND --help` describes a
    command. A flag takes precedence over the environment, the environment over cloudserve.yaml.
    --quiet, --verbose and --debug may be before the command or after it.
    """


cli.params.extend(options(hidden=False))
