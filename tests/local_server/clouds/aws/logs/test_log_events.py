"""CloudWatch Logs with boto3: groups, streams, events, pages."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local_server.clouds.aws.conftest import refusal

NOW = int(time.time() * 1000)
GONE = "ResourceNotFoundException"


@pytest.fixture(scope="module")
def logs(clouds):
    client = clouds.aws("logs")
    yield client
    client.close()


@pytest.fixture
def group(logs, fresh):
    logs.create_log_group(logGroupName=fresh)
    return fresh


@pytest.fixture
def stream(logs, group):
    """Provide the arguments that name a stream `s`."""
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    return {"logGroupName": group, "logStreamName": "s"}


def put(logs, stream, *messages, start=NOW):
    events = [{"timestamp": start + i, "message": text} for i, text in enumerate(messages)]
    return logs.put_log_events(**stream, logEvents=events)


def texts(answer):
    return [event["message"] for event in answer["events"]]


def test_events_are_read_in_the_order_of_their_times(logs, stream):
    put(logs, stream, "third", start=NOW + 5)
    put(logs, stream, "first", "second")
    answer = logs.get_log_events(**stream, startFromHead=True)
    assert texts(answer) == ["first", "second", "third"]
    assert [event["timestamp"] - NOW for event in answer["events"]] == [0, 1, 5]
    assert all(event["ingestionTime"] >= NOW for event in answer["events"])


def test_the_newest_events_come_first_unless_told_otherwise(logs, stream):
    put(logs, stream, *"abcde")
    last = logs.get_log_events(**stream, limit=2)
    assert texts(last) == ["d", "e"]
    before = logs.get_log_events(**stream, limit=2, nextToken=last["nextBackwardToken"])
    assert texts(before) == ["b", "c"]


def test_the_forward_token_waits_for_new_events(logs, stream):
    """As the SDKs read while a job runs: the same token comes back at the end."""
    put(logs, stream, "a", "b")
    first = logs.get_log_events(**stream, startFromHead=True)
    token = first["nextForwardToken"]
    end = logs.get_log_events(**stream, startFromHead=True, nextToken=token)
    assert (end["events"], end["nextForwardToken"]) == ([], token)
    put(logs, stream, "c", start=NOW + 2)
    assert texts(logs.get_log_events(**stream, startFromHead=True, nextToken=token)) == ["c"]


def test_times_limit_what_is_read(logs, stream):
    put(logs, stream, *"abcd")
    between = {"startTime": NOW + 1, "endTime": NOW + 3}
    assert texts(logs.get_log_events(**stream, **between)) == ["b", "c"]
    group = stream["logGroupName"]
    assert texts(logs.filter_log_events(logGroupName=group, **between)) == ["b", "c", "d"]


def test_a_filter_reads_all_streams_of_a_group_in_order(logs, group):
    for name, start in (("a/1", NOW), ("a/2", NOW + 1), ("b/1", NOW + 2)):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        stream = {"logGroupName": group, "logStreamName": name}
        logs.put_log_events(
            **stream,
            logEvents=[{"timestamp": start + 10 * i, "message": f"{name} {i}"} for i in (0, 1)],
        )
    everything = logs.filter_log_events(logGroupName=group)
    assert texts(everything) == ["a/1 0", "a/2 0", "b/1 0", "a/1 1", "a/2 1", "b/1 1"]
    assert len({event["eventId"] for event in everything["events"]}) == 6
    some = logs.filter_log_events(logGroupName=group, logStreamNamePrefix="a/")
    assert {event["logStreamName"] for event in some["events"]} == {"a/1", "a/2"}
    named = logs.filter_log_events(
        logGroupName=group, logStreamNames=["b/1"], filterPattern='"b/1 1"'
    )
    assert texts(named) == ["b/1 1"]


def test_the_paginator_of_a_filter_misses_nothing(logs, stream):
    put(logs, stream, *(f"{i} {'even' if i % 2 == 0 else 'odd'}" for i in range(25)))
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=stream["logGroupName"], filterPattern="even", PaginationConfig={"PageSize": 4}
    )
    numbers = [int(text.split()[0]) for page in pages for text in texts(page)]
    assert numbers == list(range(0, 25, 2))


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_pages_of_any_sizes_join_to_the_whole(logs, clouds, sizes):
    stream = {"logGroupName": "pages", "logStreamName": "s"}
    if not logs.describe_log_groups(logGroupNamePrefix="pages")["logGroups"]:
        logs.create_log_group(logGroupName="pages")
        logs.create_log_stream(**stream)
        events = [{"timestamp": NOW + i // 3, "message": str(i)} for i in range(20)]
        logs.put_log_events(**stream, logEvents=events)
    read, more = [], {"startFromHead": True}
    for size in [*sizes, 100]:
        answer = logs.get_log_events(**stream, **more, limit=size)
        read += texts(answer)
        more["nextToken"] = answer["nextForwardToken"]
    assert read == [str(i) for i in range(20)]


def test_groups_and_streams_are_described(logs, group):
    for name in ("new", "old", "other"):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    for name, start in (("old", NOW - 1000), ("new", NOW)):
        put(logs, {"logGroupName": group, "logStreamName": name}, "text", start=start)
    (shown,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    assert (shown["logGroupArn"], shown["arn"]) == (arn, f"{arn}:*")
    assert shown["storedBytes"] == 2 * (len("text") + 26)
    by_time = logs.describe_log_streams(
        logGroupName=group, orderBy="LastEventTime", descending=True
    )["logStreams"]
    assert [one["logStreamName"] for one in by_time] == ["new", "old", "other"]
    assert (by_time[0]["lastEventTimestamp"], "lastEventTimestamp" in by_time[2]) == (NOW, False)
    pages = logs.get_paginator("describe_log_streams").paginate(
        logGroupIdentifier=arn, logStreamNamePrefix="o", PaginationConfig={"PageSize": 1}
    )
    assert [one["logStreamName"] for page in pages for one in page["logStreams"]] == [
        "old",
        "other",
    ]


def test_a_deleted_group_or_stream_is_gone(logs, stream):
    put(logs, stream, "text")
    logs.delete_log_stream(**stream)
    assert refusal(logs.get_log_events, **stream)[0] == GONE
    logs.delete_log_group(logGroupName=stream["logGroupName"])
    code, text = refusal(logs.create_log_stream, **stream)
    assert (code, text) == (GONE, "The specified log group does not exist.")


def test_retention_is_kept(logs, group):
    def days():
        return logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0].get(
            "retentionInDays"
        )

    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert days() == 7
    logs.delete_retention_policy(logGroupName=group)
    assert days() is None


def test_old_and_future_events_are_rejected_and_others_kept(logs, stream):
    day = 86_400_000
    times = (NOW - 15 * day, NOW, NOW + day)
    answer = logs.put_log_events(
        **stream, logEvents=[{"timestamp": at, "message": str(at)} for at in times]
    )
    assert answer["rejectedLogEventsInfo"] == {
        "tooNewLogEventStartIndex": 2,
        "tooOldLogEventEndIndex": 1,
    }
    assert texts(logs.get_log_events(**stream)) == [str(NOW)]


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "reason"),
    [
        ("create_log_group", {"logGroupName": "G"},
         "ResourceAlreadyExistsException", "group already"),
        ("create_log_stream", {"logGroupName": "G", "logStreamName": "s"},
         "ResourceAlreadyExistsException", "stream already"),
        ("create_log_group", {"logGroupName": "g", "kmsKeyId": "k"}, "InvalidParameterException",
         "kmsKeyId of a log group is not available offline"),
        ("get_log_events", {"logGroupName": "G", "logStreamName": "no"}, GONE, "stream does not"),
        ("filter_log_events", {"logGroupName": "no"}, GONE, "group does not exist"),
        ("filter_log_events", {},
         "InvalidParameterException", "logGroupName or logGroupIdentifier"),
        ("filter_log_events",
         {"logGroupName": "G", "logStreamNames": ["s"], "logStreamNamePrefix": "s"},
         "InvalidParameterException", "cannot be used together"),
        ("describe_log_streams",
         {"logGroupName": "G", "orderBy": "LastEventTime", "logStreamNamePrefix": "s"},
         "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix"),
        ("get_log_events", {"logGroupName": "G", "logStreamName": "s", "nextToken": "x"},
         "InvalidParameterException", "nextToken is invalid"),
        ("put_retention_policy", {"logGroupName": "G", "retentionInDays": 2},
         "InvalidParameterException", "Value '2' at 'retentionInDays'"),
        ("put_log_events",
         {"logGroupName": "G", "logStreamName": "s", "logEvents": [
             {"timestamp": NOW, "message": "b"}, {"timestamp": NOW - 1, "message": "a"}]},
         "InvalidParameterException", "must be in chronological order"),
        ("put_log_events",
         {"logGroupName": "G", "logStreamName": "s", "logEvents": [
             {"timestamp": NOW - 86_400_001, "message": "b"}, {"timestamp": NOW, "message": "a"}]},
         "InvalidParameterException", "cannot span more than 24 hours"),
        ("test_metric_filter", {"filterPattern": "a", "logEventMessages": ["a"]},
         "UnsupportedOperationException", "not available offline"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused(logs, stream, operation, arguments, code, reason):
    name = stream["logGroupName"]
    arguments = {key: name if value == "G" else value for key, value in arguments.items()}
    found, text = refusal(getattr(logs, operation), **arguments)
    assert (found, reason in text) == (code, True), text


def test_the_largest_numbers_are_times_and_no_tokens(logs, stream):
    put(logs, stream, "a")
    largest = 2**63 - 1
    group = stream["logGroupName"]
    assert texts(logs.filter_log_events(logGroupName=group, endTime=largest)) == ["a"]
    assert texts(logs.get_log_events(**stream, endTime=largest)) == ["a"]
    token = f"f/{'9' * 19}/{'9' * 19}/s"
    assert refusal(logs.get_log_events, **stream, nextToken=token)[0] == "InvalidParameterException"
