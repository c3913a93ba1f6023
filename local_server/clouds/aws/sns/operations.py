"""SNS: CreateTopic, DeleteTopic, ListTopics, Publish.

There is nobody to deliver to offline, so a subscription is refused: messages are in the topic's
file. Sources: botocore's model; the codes are the service's, the texts of refusals ours. Those for
a topic of another region (boto3#646) and for a subject (moto#1503, whose 100 characters the service
takes, and wellcomecollection/platform#1107, an empty one) are the service's, in users' reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ....transport.types import Head
from ...pages import page
from ...resources import Document
from ..permissions.access import Access
from ..permissions.policy import REQUESTED_REGION, Need
from ..protocol.arns import ACCOUNT, region
from ..protocol.errors import AwsError
from ..protocol.query_app import Handler, QueryApp
from .topics import Topics, region_of

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_SUBJECT = re.compile(r"[^\x00-\x20\x7f-\x9f][^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,99}")
"""No line breaks or control characters, and no space at the beginning (Publish.Subject)."""
_PAGE = 100
_LIMIT = 262_144
"""Bytes of a message (Publish.Message)."""
_NOT_OFFLINE = {
    "CreateTopic": ("Attributes", "Tags", "DataProtectionPolicy"),
    "Publish": (
        "TargetArn", "PhoneNumber", "MessageStructure", "MessageAttributes", "MessageGroupId",
        "MessageDeduplicationId",
    ),
}  # fmt: skip
Operation = Callable[[str, Document], Document | None]


class Sns:
    """The operations on topics."""

    def __init__(self, topics: Topics, access: Access) -> None:
        self._topics = topics
        self._access = access

    def app(self) -> QueryApp:
        """Return the service's HTTP application."""
        operations: dict[str, Operation] = {
            "CreateTopic": self.create,
            "DeleteTopic": self.delete,
            "ListTopics": self.list,
            "Publish": self.publish,
        }
        handlers = {name: self._checked(name, run) for name, run in operations.items()}
        # In a form, a byte of a message may take three.
        return QueryApp("sns", NAMESPACE, handlers, limit=4 * _LIMIT)

    def _checked(self, action: str, run: Operation) -> Handler:
        def handler(head: Head, body: Document) -> Document | None:
            where = region(head)
            topic = body.get("TopicArn") or f"arn:aws:sns:{where}:{ACCOUNT}:{body.get('Name', '*')}"
            resource = "*" if action == "ListTopics" else topic
            need = Need(f"sns:{action}", resource, {REQUESTED_REGION: where})
            self._access.check(head, [need], "AuthorizationError")
            for field in _NOT_OFFLINE.get(action, ()):
                if field in body:
                    raise _invalid(f"{field} of {action} is not available offline.")
            return run(where, body)

        return handler

    def create(self, where: str, body: Document) -> Document:
        """Create a topic; raises AwsError for a name that the service refuses, and for FIFO."""
        name = body["Name"]
        if name.endswith(".fifo"):
            # A name with a dot is not a standard topic (API reference, `CreateTopic`).
            raise _invalid(
                "Invalid parameter: Topic Name (a FIFO topic needs the attribute FifoTopic, and is"
                " not available offline: create a standard topic)"
            )
        if not _NAME.fullmatch(name):
            raise _invalid("Invalid parameter: Topic Name")
        return {"TopicArn": self._topics.create(where, name)}

    def delete(self, where: str, body: Document) -> None:
        """Delete a topic."""
        _check_region(where, body["TopicArn"])
        self._topics.delete(body["TopicArn"])

    def list(self, where: str, body: Document) -> Document:
        """Return a page of topics."""
        try:
            shown, token = page(self._topics.list(where), _PAGE, body.get("NextToken"))
        except ValueError as error:
            raise _invalid("Invalid parameter: NextToken") from error
        return {"Topics": shown} | ({"NextToken": token} if token else {})

    def publish(self, where: str, body: Document) -> Document:
        """Append a message to its topic's file."""
        if "TopicArn" not in body:
            raise _invalid("Invalid parameter: TopicArn or TargetArn Reason: no value")
        message = body["Message"]
        if not message:
            raise _invalid("Invalid parameter: Empty message")
        if len(message.encode()) > _LIMIT:
            raise _invalid("Invalid parameter: Message too long")
        subject = body.get("Subject")
        if subject is not None and not _SUBJECT.fullmatch(subject):
            raise _invalid("Invalid parameter: Subject")
        _check_region(where, body["TopicArn"])
        return {"MessageId": self._topics.publish(body["TopicArn"], message, subject)}


def _check_region(where: str, topic: str) -> None:
    """Raise AwsError for a topic of another region than the one that is asked."""
    if region_of(topic) != where:
        raise _invalid("Invalid parameter: TopicArn")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameter", message)
