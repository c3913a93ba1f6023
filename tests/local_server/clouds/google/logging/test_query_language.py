"""The Logging query language: what matches, and what is refused."""

from datetime import UTC

import pytest
from cloudserve.local_server.clouds.google.logging.comparisons import timestamp_bound
from cloudserve.local_server.clouds.google.logging.query_language import read_query
from cloudserve.local_server.status import Code, StatusError
from hypothesis import assume, given
from hypothesis import strategies as st

ENTRY = {
    "logName": "projects/p/logs/aiplatform.googleapis.com%2Fprediction_container",
    "resource": {
        "type": "aiplatform.googleapis.com/Endpoint",
        "labels": {"endpoint_id": "mnist", "location": "us-central1"},
    },
    "labels": {"deployed_model_id": "12", "a.b": "dotted"},
    "severity": "WARNING",
    "jsonPayload": {"message": "Loaded the Model in 12 s", "seconds": 12.5, "names": ["x", "y"]},
    "timestamp": "2026-11-30T09:00:00.250000000Z",
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        'resource.type="aiplatform.googleapis.com/Endpoint"',
        'resource.type = "AIPLATFORM.googleapis.com/endpoint"',
        "resource.labels.endpoint_id=mnist AND severity=WARNING",
        "resource.labels.endpoint_id=mnist severity=warning",
        "severity>=INFO severity<ERROR severity!=ERROR",
        'severity=("ERROR" OR "WARNING")',
        "severity=ERROR OR labels.deployed_model_id=12",
        "(severity=ERROR OR severity=WARNING) AND -severity=INFO",
        "NOT (severity=ERROR OR severity=INFO)",
        'jsonPayload.message:"the model"',
        'jsonPayload.message=~"^Loaded .* s$"',
        'jsonPayload.message!~"^loaded"',
        r'jsonPayload.message=~"(?P<what>M)od(?:el) in \\d+"',
        "NOT NOT severity=WARNING" + " AND NOT absent" * 100,
        "jsonPayload.seconds>12 jsonPayload.seconds<=12.5",
        "jsonPayload.names=y",
        'labels."a.b"=dotted',
        "labels.a:* OR jsonPayload.seconds:*",
        "jsonPayload.missing!=3",
        "mnist",
        '"in 12 s" -"in 13 s"',
        'timestamp>="2026-11-30T09:00:00Z" timestamp<"2026-11-30T09:00:01Z"',
        'timestamp>"2026-11-30T10:00:00.2+01:00"',
        'severity=WARNING -- a comment\nAND resource.labels.location="us-central1"',
    ],
)
def test_an_entry_matches(text):
    assert read_query(text).matches(ENTRY)


@pytest.mark.parametrize(
    "text",
    [
        "severity=ERROR",
        "severity>WARNING",
        "NOT severity=WARNING",
        'jsonPayload.message=~"^loaded"',
        "jsonPayload.missing=3",
        "jsonPayload.message>12",
        "jsonPayload.seconds<12.5",
        'timestamp<="2026-11-30T09:00:00.2Z"',
        'timestamp>="2026-11-30T09:00:00-01:00"',
        "resource.labels.endpoint_id=mnist AND absent",
        'severity=("ERROR" OR "INFO")',
    ],
)
def test_an_entry_does_not_match(text):
    assert not read_query(text).matches(ENTRY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("severity=", "a value is missing at the end"),
        ("=INFO", "syntax error at '='"),
        ("severity=INFO)", r"syntax error at '\)'"),
        ("(severity=INFO", r"\) is missing at the end"),
        ("severity=LOUD", '"LOUD" is not a severity'),
        ("timestamp>yesterday", "is not a timestamp such as"),
        ('insertId=~"("', "is not a regular expression"),
        ('insertId=~"a(?=b)"', "is not a regular expression of RE2"),
        (r'insertId=~"(a)\\1"', "is not a regular expression of RE2"),
        ("NOT " * 3000 + "a", "it is nested too deeply"),
        ("(" * 3000, "it is nested too deeply"),
        ("a=1 AND b=2 OR c=3", "AND and OR need parentheses"),
        ('ip_in_net(jsonPayload.ip, "10.0.0.0/8")', "function ip_in_net is not available offline"),
        ("a=1 AND", "a comparison is missing"),
        ("'single'", "syntax error"),
        ("x" * 20_001, "more than 20000 characters"),
    ],
)
def test_wrong_filters_are_refused(text, reason):
    with pytest.raises(StatusError, match=f"Unparsable filter: .*{reason}") as caught:
        read_query(text)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_the_earliest_time_is_known_where_it_must_hold():
    bound = "2026-11-30T09:00:00.000000000Z"
    assert read_query('timestamp>="2026-11-30T09:00:00Z" AND x').since == bound
    assert read_query('timestamp>="2026-11-30T09:00:00Z" OR x').since == ""
    assert read_query('NOT timestamp>="2026-11-30T09:00:00Z"').since == ""
    assert read_query('(timestamp>"2026-11-30T08:00:00-01:00") y').since == bound


@given(st.text())
def test_any_quoted_text_is_found(text):
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert read_query(f'textPayload="{quoted}"').matches({"textPayload": text})


@given(st.text(alphabet="ab=<>!~:()-\"\\ \nANDORT.%'", max_size=30))
def test_a_filter_is_read_or_refused(text):
    try:
        read_query(text).matches(ENTRY)
    except StatusError as error:
        assert error.code is Code.INVALID_ARGUMENT


@given(st.datetimes(timezones=st.timezones()))
def test_timestamps_are_ordered_as_their_texts(moment):
    offset = moment.utcoffset()
    assume(1 < moment.year < 9999)
    assume(offset.total_seconds() % 60 == 0)
    other = moment.replace(year=2000, day=1)
    texts = [timestamp_bound(one.astimezone(UTC).isoformat()) for one in (moment, other)]
    assert (moment < other) == (texts[0] < texts[1])
    assert timestamp_bound(moment.isoformat()) == texts[0]
