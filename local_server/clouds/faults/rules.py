"""Faults on purpose: which requests they hit, and what then happens. Read from JSON or YAML.

faults:
  - route: "POST */endpoints/*:predict"     # METHOD PATH, with * for anything
    status: 503                             # answered in the service's own form
    times: 2                                # then no more
  - route: "SageMaker.CreateEndpoint"       # or what X-Amz-Target says
    operation: {code: RESOURCE_EXHAUSTED, message: "no capacity"}
  - route: "SageMaker.CreateModel"
    code: ResourceLimitExceeded             # AWS's own code, with its HTTP status
  - route: "GET /storage/*"
    latency: 1.5                            # seconds before the answer
    skip: 3                                 # not the first three
  - route: "PUT *"
    drop: true                              # the connection closes without an answer
  - route: "* /v1/projects/*"
    quota: {requests: 10, seconds: 60}      # beyond it: 429
"""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from cloudserve.errors import UserError

from ...status import Code
from ...transport.types import Head
from ..aws.protocol.error_codes import known

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


CAPACITY = "CapacityError"
NO_CAPACITY = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."
    " Please retry using a different ML instance type or after some time."
)
"""An endpoint's FailureReason without machines (AWS re:Post, "Why did my SageMaker endpoint go into
the failed state", and users' reports). Jobs say `CapacityError: …` instead."""
ON_PURPOSE = "The operation failed on purpose."


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many requests in so many seconds; those beyond are refused."""

    requests: Annotated[int, msgspec.Meta(ge=0)]
    seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the operation ends that a request starts."""

    code: str = "INTERNAL"
    message: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a code that is none."""
        if self.code == CAPACITY:
            return
        if self.code not in Code.__members__ or self.code == "OK":
            raise ValueError(f"{self.code!r} is no code of google.rpc.Code that fails")

    @property
    def error(self) -> tuple[Code, str]:
        """Return the code and the text that the operation ends with.

        AWS's `CapacityError` is no answer to a request: its text is an endpoint's FailureReason.
        """
        if self.code != CAPACITY:
            return Code[self.code], self.message or ON_PURPOSE
        return Code.RESOURCE_EXHAUSTED, self.message or NO_CAPACITY


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault. A request gets the first that fits its route and has not run out."""

    route: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    code: str = ""
    """An error code of AWS's; its own HTTP status where `status` gives none."""
    message: str = ""
    latency: Seconds = 0.0
    drop: bool = False
    operation: Failure | None = None
    quota: Quota | None = None
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many fitting requests pass before it begins."""
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many requests it hits; None for all."""

    def __post_init__(self) -> None:
        """Raise ValueError for a rule that does nothing, or two things at once."""
        refuses = self.status is not None or bool(self.code)
        ends = [refuses, self.drop, self.quota is not None, bool(self.operation)]
        if sum(ends) > 1:
            raise ValueError("only one of status or code, drop, operation and quota may be set")
        if not any(ends) and not self.latency:
            raise ValueError("one of status, code, latency, drop, operation and quota must be set")
        if self.message and not refuses:
            raise ValueError("message goes with status or code")
        if self.code and self.code not in known():
            close = difflib.get_close_matches(self.code, known(), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{self.code!r} is no error code of the offline AWS services{hint}")

    def fits(self, head: Head) -> bool:
        """Say whether a request is on the rule's route."""
        target = head.headers.get("x-amz-target", "")
        names = [f"{head.method} {head.path}", *([target] if target else [])]
        return any(fnmatchcase(name, self.route) for name in names)


class RuleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The faults in force, in the order to be asked."""

    faults: list[Rule] = []


def read_rules(document: Any) -> RuleSet:
    """Return the rules in a JSON or YAML value; raises ValueError that says what is wrong where."""
    return msgspec.convert({} if document is None else document, RuleSet)


def load_rules(path: Path) -> RuleSet:
    """Return the rules in a YAML or JSON file; raises UserError."""
    try:
        return read_rules(yaml.safe_load(path.read_bytes()))
    except OSError as error:
        message = f"the faults cannot be read: {error.strerror}"
        raise UserError(message, where=str(path)) from error
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"these are no faults: {error}", where=str(path)) from error
