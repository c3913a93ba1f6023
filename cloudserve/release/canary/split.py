"""Requests to an endpoint whose traffic split chooses the revision, and whose answers name it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from cloudserve.errors import CheckFailedError, UserError
from cloudserve.release.canary.comparison import Answer, Comparison
from cloudserve.release.canary.probe import TRIED
from cloudserve.release.provider import SplitAnswer


@dataclass(slots=True)
class SplitProber:
    """Sends each request once; the answer is that of the revision that gave it."""

    ask: Callable[[bytes], SplitAnswer]
    live: str
    canary: str
    requests: Sequence[bytes]
    clock: Callable[[], float] = time.monotonic
    _bodies: Iterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._bodies = cycle(self.requests)

    def check(self) -> None:
        """Send the first requests; raises UserError if one fails, or its answer names no revision.

        The live revision answers them while it has all traffic.
        """
        for number, body in enumerate(self.requests[:TRIED], start=1):
            answer = self.ask(body)
            if answer.error:
                raise UserError(
                    f"the endpoint fails for request {number}: {answer.error}",
                    hint="give requests that the live revision answers",
                )
            if answer.revision not in {self.live, self.canary}:
                raise UserError(
                    "the endpoint's answers do not say which version gave them",
                    hint="--source metrics counts the users' requests instead",
                )

    def probe_into(self, comparison: Comparison) -> None:
        """Send the next request, and count the answer for the revision that gave it.

        Raises CheckFailedError for a successful answer of another revision, or of none.
        """
        begin = self.clock()
        response = self.ask(next(self._bodies))
        answer = Answer(self.clock() - begin, response.error, response.body)
        if response.revision == self.canary:
            comparison.add_canary(answer)
        elif response.revision == self.live:
            comparison.add_live(answer)
        elif response.error:
            comparison.add_unknown(response.error)
        else:
            raise CheckFailedError(
                f"a request was answered by {response.revision or 'a version without a name'}, "
                f"neither by {self.live} nor by {self.canary}",
                hint="look at `cloudserve status`: somebody may have changed the endpoint",
            )
