"""Topics, and the files that their messages are appended to.

A line has the members of a notification over HTTP, without its signature (SNS developer guide,
"HTTP/HTTPS notification JSON format"). It is one write: a reader sees whole lines, or a last one
that a kill cut short.
"""

from __future__ import annotations

import json
import logging
import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from ...resources import Document, Resources
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError

logger = logging.getLogger(__name__)

TABLE = "aws/sns-topic"
_ARN = re.compile(r"arn:aws:sns:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_.-]+)")


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of all regions."""

    resources: Resources
    folder: Path
    now: Callable[[], float]

    def create(self, region: str, name: str) -> str:
        """Create a topic, or find the one of this name; return its ARN."""
        arn = f"arn:aws:sns:{region}:{ACCOUNT}:{name}"
        self.resources.create(TABLE, f"{region}/{name}", {"TopicArn": arn})
        return arn

    def delete(self, arn: str) -> None:
        """Remove a topic; its file remains. One that does not exist is ignored."""
        self.resources.delete(TABLE, _key(arn))

    def list(self, region: str) -> list[tuple[str, Document]]:
        """Return the topics of a region by their keys."""
        return self.resources.list(TABLE, f"{region}/")

    def publish(self, arn: str, message: str, subject: str | None = None) -> str:
        """Append a message to a topic's file; return its id. Raises AwsError without a topic."""
        if self.resources.get(TABLE, _key(arn)) is None:
            raise AwsError("NotFound", "Topic does not exist", HTTPStatus.NOT_FOUND)
        return self.deliver(arn, message, subject)

    def deliver(self, arn: str, message: str, subject: str | None = None) -> str:
        """Append a message to a topic's file, whether the topic is this account's or not."""
        identity = str(uuid.uuid4())
        when = datetime.fromtimestamp(self.now(), UTC)
        line: Document = {"Type": "Notification", "MessageId": identity, "TopicArn": arn}
        if subject is not None:
            line["Subject"] = subject
        line |= {"Message": message, "Timestamp": iso(when)}
        path = self.path(arn)
        path.parent.mkdir(parents=True, exist_ok=True)
        _append(path, json.dumps(line).encode() + b"\n")
        logger.info("a message to %s is in %s", arn, path)
        return identity

    def path(self, arn: str) -> Path:
        """Return the file of a topic's messages."""
        return self.folder / f"{_key(arn)}.jsonl"


def may_exist(resources: Resources, arn: str) -> bool:
    """Return whether a topic exists; one of another account is taken for one of the cloud."""
    region, account, name = _parts(arn)
    return account != ACCOUNT or resources.get(TABLE, f"{region}/{name}") is not None


def region_of(arn: str) -> str:
    """Return the region of a topic; raises AwsError for a text that is no topic's ARN."""
    return _parts(arn)[0]


def iso(when: datetime) -> str:
    """Return a time as SNS and SageMaker write it, in milliseconds."""
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


def _key(arn: str) -> str:
    """Return the key of a topic; those of other accounts are below the account."""
    region, account, name = _parts(arn)
    return f"{region}/{name}" if account == ACCOUNT else f"{region}/{account}/{name}"


def _parts(arn: str) -> tuple[str, str, str]:
    match = _ARN.fullmatch(arn)
    if match is None or match[3].strip(".") == "":
        text = f"Invalid parameter: TopicArn Reason: {arn} is not valid"
        raise AwsError("InvalidParameter", text)
    return match[1], match[2], match[3]


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
