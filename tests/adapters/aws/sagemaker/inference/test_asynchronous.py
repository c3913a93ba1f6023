"""The answer of an asynchronous endpoint, read by a role that may not list the bucket.

S3 answers 403 instead of 404 then (API reference, GetObject, "Permissions"). Within an account the
text names s3:ListBucket; across accounts it is `Access Denied` alone.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from cloudserve.adapters.aws.sagemaker.api.objects import Objects
from cloudserve.adapters.aws.sagemaker.inference.asynchronous import AsyncInvocations
from cloudserve.adapters.polling import Poller

from cloudserve.errors import RemoteError

WHO = "User: arn:aws:sts::123456789012:assumed-role/ask/ada is not authorized to perform: "
UNLISTED = (
    f'{WHO}s3:ListBucket on resource: "arn:aws:s3:::answers" because no identity-based policy '
    "allows the s3:ListBucket action"
)
UNREAD = (
    f'{WHO}s3:GetObject on resource: "arn:aws:s3:::answers/1.out" because no identity-based policy '
    "allows the s3:GetObject action"
)


@dataclass
class Bucket:
    """S3 as a client sees it: refusals, then the answer if there is one."""

    refusals: list[str]
    answer: bytes | None = None
    keys: list[str] = field(default_factory=list)

    def where(self, service):
        return service

    def client(self, service):
        return self

    def get_object(self, Bucket, Key):  # noqa: N803 - boto3's names
        self.keys.append(Key)
        if self.answer is None or len(self.keys) <= len(self.refusals):
            text = self.refusals[min(len(self.keys), len(self.refusals)) - 1]
            answer = {"Error": {"Code": "AccessDenied", "Message": text}}
            raise ClientError(answer, "GetObject")
        return {"Body": io.BytesIO(self.answer)}


def ask(bucket, failure="s3://answers/1.failure"):
    """Ask an endpoint whose answer is in a bucket; the clock runs with the pauses."""
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    runtime = SimpleNamespace(
        invoke_later=lambda endpoint, body: ("s3://answers/1.out", failure),
    )
    api = SimpleNamespace(runtime=runtime, objects=Objects(bucket), where="sagemaker")
    poller = Poller(3.0, clock=lambda: now[0], sleep=sleep)
    return AsyncInvocations(SimpleNamespace(api=api, poller=poller)).ask("m", "m", b"{}")


def test_a_refusal_that_names_the_listing_means_that_there_is_no_answer_yet():
    bucket = Bucket([UNLISTED] * 4, b'{"predictions": []}')
    assert ask(bucket) == b'{"predictions": []}'
    assert bucket.keys == ["1.out", "1.failure"] * 2 + ["1.out"]


def test_the_deadline_names_the_missing_permission():
    with pytest.raises(RemoteError, match="the answer is not done after 3 s") as caught:
        ask(Bucket([UNLISTED]))
    (note,) = caught.value.__notes__
    assert note.endswith(
        "allow arn:aws:sts::123456789012:assumed-role/ask/ada the action s3:ListBucket on "
        "arn:aws:s3:::answers"
    )


@pytest.mark.parametrize(
    ("refusal", "hint"),
    [(UNREAD, "the action s3:GetObject on"), ("Access Denied", "and s3:ListBucket on its bucket")],
)
def test_a_refusal_that_may_be_of_the_object_itself_ends_the_wait(refusal, hint):
    bucket = Bucket([refusal])
    with pytest.raises(RemoteError, match=r"read s3://answers/1\.out: ") as caught:
        ask(bucket)
    assert hint in caught.value.hint
    assert bucket.keys == ["1.out"]
