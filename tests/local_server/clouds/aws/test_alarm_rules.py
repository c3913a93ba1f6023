"""The states of a metric alarm, by the values of its metric, as AWS's user guide has them."""

from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.aws.cloudwatch.alarm_rule import State, decide, read_rule
from cloudserve.local_server.clouds.aws.cloudwatch.metric_store import MetricStore
from cloudserve.local_server.clouds.aws.protocol.errors import AwsError

KEEP = "keep"
OK, ALARM, INSUFFICIENT = State.OK, State.ALARM, State.INSUFFICIENT_DATA
RULE = {
    "AlarmName": "a",
    "Namespace": "own",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 2.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


def points(text):
    return [{"X": True, "0": False, "-": None}[each] for each in text.split()]


@pytest.mark.parametrize(
    ("range_of_five", "to_alarm", "missing", "ignore", "breaching", "not_breaching"),
    [
        # CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data": five points
        # are read for three periods. The table of DatapointsToAlarm 3:
        ("0 - X - X", 3, OK, OK, OK, OK),
        ("0 - - - -", 3, OK, OK, OK, OK),
        ("- - - - -", 3, INSUFFICIENT, KEEP, ALARM, OK),
        ("0 X X - X", 3, ALARM, ALARM, ALARM, ALARM),
        ("- - X - -", 3, ALARM, KEEP, ALARM, OK),
        # The table of DatapointsToAlarm 2:
        ("0 - X - X", 2, ALARM, ALARM, ALARM, ALARM),
        ("0 0 X 0 X", 2, ALARM, ALARM, ALARM, ALARM),
        ("0 - X - -", 2, OK, OK, ALARM, OK),
        ("- - - - 0", 2, OK, OK, ALARM, OK),
        ("- - - X -", 2, ALARM, KEEP, ALARM, OK),
        # "Avoiding premature transitions to alarm state": "the alarm does not go immediately into
        # ALARM state when the data is either - - - - X or - - - X - and Datapoints to Alarm is 3";
        # which state it has then is not said.
        ("- - - - X", 3, KEEP, KEEP, ALARM, OK),
        ("- - - X -", 3, KEEP, KEEP, ALARM, OK),
        # Not in the tables, by the same rules.
        ("- - - - 0", 3, OK, OK, OK, OK),
        ("- - X - -", 2, ALARM, KEEP, ALARM, OK),
    ],
)
@pytest.mark.parametrize("state", list(State))
def test_missing_points_count_as_the_alarm_says(
    range_of_five, to_alarm, missing, ignore, breaching, not_breaching, state
):
    expected = {
        "missing": missing,
        "ignore": ignore,
        "breaching": breaching,
        "notBreaching": not_breaching,
    }
    decisions = {way: decide(points(range_of_five), 3, to_alarm, way, state) for way in expected}
    assert decisions == {way: state if each == KEEP else each for way, each in expected.items()}


@pytest.fixture
def evaluate():
    """Return the evaluation at 600 s of an alarm whose metric has these values by second."""
    store = MetricStore(lambda: 600.0)

    def run(values, unit="None", state=State.OK, **settings):
        rule = read_rule("eu-west-1", RULE | settings)
        for second, value in values.items():
            store.sample(rule.metric, unit, second).add(value)
        return rule.evaluate(store, 600, state)

    return run


def test_the_statistic_of_a_period_is_compared(evaluate):
    evaluation = evaluate({545: 1.0, 599: 1.5})
    assert evaluation.state is ALARM
    assert evaluation.reason == (
        "Threshold Crossed: 1 datapoint was greater than the threshold (2.0): "
        "[2.5 (01/01/70 00:09:00)]."
    )
    assert evaluate({}, Statistic="Average").state is OK
    assert evaluate({}, Statistic="Maximum", Threshold=1.4).state is ALARM
    by_percentile = {"ExtendedStatistic": "p99", "Threshold": 1.4}
    rule = {key: value for key, value in RULE.items() if key != "Statistic"}
    assert read_rule("eu-west-1", rule | by_percentile).stat == "p99"


@pytest.mark.parametrize(
    ("comparison", "fires_at"),
    [
        ("GreaterThanThreshold", [3.0]),
        ("GreaterThanOrEqualToThreshold", [2.0, 3.0]),
        ("LessThanThreshold", [1.0]),
        ("LessThanOrEqualToThreshold", [1.0, 2.0]),
    ],
)
def test_each_operator_compares(evaluate, comparison, fires_at):
    fired = []
    for value in (1.0, 2.0, 3.0):
        evaluation = evaluate({599: value}, ComparisonOperator=comparison, MetricName=f"m{value}")
        fired += [value] * (evaluation.state is ALARM)
    assert fired == fires_at


def test_longer_periods_end_at_the_minute_and_other_units_do_not_count(evaluate):
    assert evaluate({301: 1.0, 599: 1.5}, Period=300).state is ALARM
    assert evaluate({}, Period=300, Unit="Seconds").state is INSUFFICIENT
    assert evaluate({419: 9.0}, MetricName="old").state is INSUFFICIENT
    assert evaluate({420: 9.0}, MetricName="late").state is ALARM


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"Metrics": []}, "UnsupportedOperationException", "Metrics of PutMetricAlarm"),
        ({"ThresholdMetricId": "t"}, "UnsupportedOperationException", "ThresholdMetricId"),
        (
            {"ComparisonOperator": "GreaterThanUpperThreshold"},
            "UnsupportedOperationException",
            "GreaterThanUpperThreshold",
        ),
        ({"Period": 10}, "UnsupportedOperationException", "high resolution"),
        ({"Period": 61}, "ValidationError", "multiple of 60"),
        ({"DatapointsToAlarm": 2}, "ValidationError", "less than or equal"),
        ({"EvaluationPeriods": 1441}, "ValidationError", "more than a day"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "ValidationError", "more than seven days"),
        ({"TreatMissingData": "no"}, "ValidationError", "TreatMissingData"),
        ({"ExtendedStatistic": "p9"}, "InvalidParameterCombination", "Exactly one"),
        ({"Statistic": None, "ExtendedStatistic": "tm9"}, "UnsupportedOperationException", "tm9"),
        ({"Namespace": None}, "MissingParameter", "Namespace"),
        ({"ComparisonOperator": None}, "MissingParameter", "ComparisonOperator"),
        ({"EvaluationPeriods": None}, "MissingParameter", "EvaluationPeriods"),
        (
            {"EvaluateLowSampleCountPercentile": "ignore"},
            "UnsupportedOperationException",
            "EvaluateLowSampleCountPercentile",
        ),
    ],
)
def test_invalid_and_unsupported_alarm_rules_are_refused_by_name(change, code, words):
    body = {key: value for key, value in (RULE | change).items() if value is not None}
    with pytest.raises(AwsError) as caught:
        read_rule("eu-west-1", body)
    assert caught.value.kind == code
    assert words in str(caught.value)
