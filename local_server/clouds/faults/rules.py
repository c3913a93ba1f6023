"""Rules of injected faults: the requests they hit, and the effect. Read from JSON or YAML.

faults:
  - route: "POST */endpoints/*:predict"     # METHOD PATH, with * for anything
    status: 503                             # in the form of the request's service
    times: 2                                # at most
  - route: "SageMaker.CreateEndpoint"       # or the value of X-Amz-Target
    operation: {code: RESOURCE_EXHAUSTED, message: "no capacity"}
  - route: "SageMaker.CreateModel"
    code: ResourceLimitExceeded             # AWS's own code, with its HTTP status
  - route: "GET /storage/*"
    latency: 1.5                            # seconds before the answer
    skip: 3                                 # the first three pass
  - route: "PUT *"
    drop: true                              # closes the connection without a response
  - route: "* /v1/projects/*"
    quota: {requests: 10, seconds: 60}      # 429 above it
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
"""An endpoint's FailureReason if there are no machines (AWS re:Post, "Why did my SageMaker endpoint
go into the failed state", and users' reports). Jobs have `CapacityError: …` instead."""
ROLLBACK_FAILED = "UpdateRollbackFailed"
NO_ROLLBACK = "The update and its rollback have failed because of an injected fault."
INJECTED = "The operation failed because of an injected fault."


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most so many requests in so many seconds; others are refused."""

    requests: Annotated[int, msgspec.Meta(ge=0)]
    seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The failure of the operation that a request starts."""

    code: str = "INTERNAL"
    message: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown code."""
        if self.code in {CAPACITY, ROLLBACK_FAILED}:
            return
        if self.code not in Code.__members__ or self.code == "OK":
            raise ValueError(f"{self.code!r} is not an error code of google.rpc.Code")

    @property
    def fails_rollback(self) -> bool:
        """Return whether an update of an endpoint is to fail, and its rollback as well."""
        return self.code == ROLLBACK_FAILED

    @property
    def error(self) -> tuple[Code, str]:
        """Return the code and the message of the operation's failure.

        AWS's `CapacityError` is not a response: its text is an endpoint's FailureReason.
        """
        if self.fails_rollback:
            return Code.ABORTED, self.message or NO_ROLLBACK
        if self.code != CAPACITY:
            return Code[self.code], self.message or INJECTED
        return Code.RESOURCE_EXHAUSTED, self.message or NO_CAPACITY


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault. A request is hit by the first matching rule that is not used up."""

    route: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    code: str = ""
    """An AWS error code; it implies the HTTP status if `status` is not set."""
    message: str = ""
    latency: Seconds = 0.0
    drop: bool = False
    operation: Failure | None = None
    quota: Quota | None = None
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many matching requests pass before the first hit."""
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many requests are hit; None for all."""

    def __post_init__(self) -> None:
        """Raise ValueError for a rule with no effect or with two."""
        refuses = self.status is not None or bool(self.code)
        ends = [refuses, self.drop, self.quota is not None, bool(self.operation)]
        if sum(ends) > 1:
            raise ValueError("only one of status or code, drop, operation and quota may be set")
        if not any(ends) and not self.latency:
            raise ValueError("one of status, code, latency, drop, operation and quota must be set")
        if self.message and not refuses:
            raise ValueError("message needs status or code")
        if self.code and self.code not in known():
            close = difflib.get_close_matches(self.code, known(), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{self.code!r} is not an error code of the offline AWS services{hint}"
            )

    def matches(self, head: Head) -> bool:
        """Return whether a request has the rule's route."""
        target = head.headers.get("x-amz-target", "")
        names = [f"{head.method} {head.path}", *([target] if target else [])]
        return any(fnmatchcase(name, self.route) for name in names)


class RuleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The active rules; the first match wins."""

    faults: list[Rule] = []


def read_rules(document: Any) -> RuleSet:
    """Return the rules in a JSON or YAML value; raises ValueError that names the faulty part."""
    return msgspec.convert({} if document is None else document, RuleSet)


def load_rules(path: Path) -> RuleSet:
    """Return the rules in a YAML or JSON file; raises UserError."""
    try:
        return read_rules(yaml.safe_load(path.read_bytes()))
    except OSError as error:
        message = f"the faults cannot be read: {error.strerror}"
        raise UserError(
            message, where=str(path), hint="give a YAML file that you may read"
        ) from error
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(
            f"invalid fault rules: {error}",
            where=str(path),
            hint="write `faults:` with a list of rules, each with a `route`",
        ) from error
