"""Announcement of a command's destination, and confirmation of changes to a real account."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from cloudserve.cli.options import print_progress
from cloudserve.errors import UserError
from cloudserve.release.destination import Destination
from cloudserve.release.types import Plan

yes_option = click.option(
    "--yes",
    "-y",
    is_flag=True,
    envvar="CLOUDSERVE_YES",
    show_envvar=True,
    help="Change a real account without asking; the offline clouds never ask.",
)


def announce(destination: Destination) -> None:
    """Print the destination of the calls on stderr: `aws · offline http://127.0.0.1:8900`."""
    print_progress(str(destination))


def plan_confirmation(*, yes: bool) -> Callable[[Plan], None]:
    """Return a function that confirms a plan before its first change.

    It asks for the first plan only: later ones of a command, such as the rollback of a canary, are
    part of what was confirmed.
    """
    is_confirmed = yes

    def confirm(plan: Plan) -> None:
        nonlocal is_confirmed
        if plan.destination is not None and not is_confirmed:
            revision = f" {plan.revision.id}" if plan.revision.digest else ""
            what = f"{plan.operation} {plan.model}{revision} on {plan.target}"
            _confirm(what, [action.sentence for action in plan.actions], plan.destination)
        is_confirmed = True

    return confirm


def job_confirmation(what: str, *, yes: bool) -> Callable[[Destination], None]:
    """Return a function that announces and confirms a job before its first request."""

    def begin(destination: Destination) -> None:
        announce(destination)
        if not yes:
            _confirm(what, [], destination)

    return begin


def confirm_change(what: str, destination: Destination, *, yes: bool) -> None:
    """Confirm a change that has no plan."""
    if not yes:
        _confirm(what, [], destination)


def _confirm(what: str, steps: list[str], destination: Destination) -> None:
    if destination.is_offline:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError(
            f"this changes a real account and needs confirmation, but there is no terminal: {what}",
            where=str(destination),
            hint="confirm with --yes (or CLOUDSERVE_YES=1), or rehearse it with "
            "`cloudserve emulate`",
        )
    lines = [f"  {number}. {step}" for number, step in enumerate(steps, start=1)]
    for line in (f"{what}:", *lines):
        click.echo(line, err=True)
    if not click.confirm(f"Do this on {destination}?", err=True):
        raise UserError(
            "not confirmed: nothing was changed",
            where=str(destination),
            hint="answer y to confirm, or rehearse it first with `cloudserve emulate`",
        )
