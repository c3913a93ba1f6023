"""The tape of a provider: how its reads are kept, or answered without a network."""

from __future__ import annotations

from cloudserve.errors import UserError
from cloudserve.known.tape import Tape
from cloudserve.project import Target
from cloudserve.release.provider import Provider, RecordedProvider


def use_tape(provider: Provider, tape: Tape, target: Target) -> Tape:
    """Send a provider's reads through a tape, and return it.

    Raises UserError if its adapter keeps nothing, and the tape is offline.
    """
    if isinstance(provider, RecordedProvider):
        provider.record(tape)
    elif tape.is_offline:
        raise UserError(
            f"the adapter `{target.provider}` keeps no state for --offline: it has no `record`",
            where=target.where,
            hint="run the command without --offline",
        )
    return tape
