"""SNS for boto3: topics, and messages in the topics' files."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.protocol.errors import AwsError
from cloudserve.local_server.clouds.aws.sns.topics import Topics
from cloudserve.local_server.clouds.resources import Resources
from hypothesis import given
from hypothesis import strategies as st

ARN = "arn:aws:sns:us-east-1:000000000000"
ELSEWHERE = ARN.replace("us-east-1", "eu-west-1")


@pytest.fixture
def sns(clouds):
    return clouds.aws("sns")


def test_a_topic_is_created_once_listed_and_deleted(sns, fresh):
    arn = sns.create_topic(Name=fresh)["TopicArn"]
    assert arn == f"{ARN}:{fresh}"
    assert sns.create_topic(Name=fresh)["TopicArn"] == arn
    pages = sns.get_paginator("list_topics").paginate()
    assert arn in [topic["TopicArn"] for page in pages for topic in page["Topics"]]
    assert sns.publish(TopicArn=arn, Message="hello", Subject="ä" * 100)["MessageId"]
    sns.delete_topic(TopicArn=arn)
    with pytest.raises(sns.exceptions.NotFoundException, match="Topic does not exist"):
        sns.publish(TopicArn=arn, Message="hello")


@pytest.mark.parametrize(
    ("operation", "fields", "text"),
    [
        ("create_topic", {"Name": "a.fifo"}, r"Topic Name \(a FIFO topic needs the attribute Fifo"),
        ("create_topic", {"Name": "a b"}, "Invalid parameter: Topic Name"),
        (
            "create_topic",
            {"Name": "a", "Tags": [{"Key": "k", "Value": "v"}]},
            "Tags of CreateTopic",
        ),
        ("publish", {"PhoneNumber": "+1", "Message": "x"}, "PhoneNumber of Publish"),
        ("publish", {"Message": "x"}, "TopicArn or TargetArn Reason: no value"),
        ("publish", {"TopicArn": f"{ARN}:a", "Message": ""}, "Empty message"),
        ("publish", {"TopicArn": f"{ARN}:a", "Message": "é" * 131_073}, "Message too long"),
        ("publish", {"TopicArn": "arn:aws:sns:x", "Message": "x"}, "is not valid"),
        ("publish", {"TopicArn": f"{ELSEWHERE}:a", "Message": "x"}, "parameter: TopicArn$"),
        ("delete_topic", {"TopicArn": f"{ELSEWHERE}:a"}, "parameter: TopicArn$"),
        *(
            ("publish", {"TopicArn": f"{ARN}:a", "Message": "x", "Subject": text}, ": Subject$")
            for text in ("", " a", "a\nb", "a\x7f", "a" * 101)
        ),
        ("subscribe", {"TopicArn": f"{ARN}:a", "Protocol": "email"}, "Subscribe is not available"),
    ],
)
def test_other_requests_are_refused(sns, operation, fields, text):
    with pytest.raises(ClientError, match=text):
        getattr(sns, operation)(**fields)


@given(st.lists(st.text(min_size=1), max_size=5))
def test_messages_come_back_in_their_order(tmp_path_factory, messages):
    folder = tmp_path_factory.mktemp("sns")
    resources = Resources(folder / "clouds.db")
    topics = Topics(resources, folder / "sns", lambda: 1_796_000_000.5)
    arn = topics.create("us-east-1", "t")
    for message in messages:
        topics.publish(arn, message, subject="s")
    path = topics.path(arn)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()] if messages else []
    assert [line["Message"] for line in lines] == messages
    assert all(line["Timestamp"] == "2026-11-30T00:53:20.500Z" for line in lines)
    with pytest.raises(AwsError, match="is not valid"):
        topics.publish(f"{arn}/../x", "m")
    resources.close()
