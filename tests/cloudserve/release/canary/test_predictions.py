"""The distribution of predictions: classes, and the shares of both revisions."""

import json
import random

import pytest

from cloudserve.errors import UserError
from cloudserve.release.canary.comparison import CALIBRATION, Answer, Comparison
from cloudserve.release.canary.evidence import Counts, more_often
from cloudserve.release.canary.predictions import OTHERS, Classes, first_class
from cloudserve.release.canary.record import CanaryRecord, Decision
from cloudserve.release.canary.rules import CanaryRules, Source

RULES = CanaryRules(max_shift=0.1)


def answer(prediction):
    return Answer(0.01, "", json.dumps({"predictions": [prediction]}).encode())


def classes(comparison):
    return [measure for measure in comparison.measures if measure.classes]


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ([0.1, 0.7, 0.2], "1"),
        ([[0.1, 0.7, 0.2]], "1"),
        ("cat", "cat"),
        (["cat"], "cat"),
        (7, "7"),
        (True, "True"),
        (2.5, 2.5),
        ([2.5], 2.5),
        ({"scores": [0.1, 0.9], "zip": 3}, "1"),
        ({}, None),
        ([], None),
        (None, None),
        ([[1.0, 2.0], [3.0, 4.0]], "1"),
    ],
)
def test_the_class_of_a_prediction(prediction, expected):
    assert first_class(json.dumps({"predictions": [prediction]}).encode()) == expected
    if not isinstance(prediction, list):
        assert first_class(json.dumps({"outputs": prediction}).encode()) == expected


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"{}", b'{"predictions": [NaN]}'])
def test_an_answer_without_a_class(body):
    assert first_class(body) is None


def compare(live_share, canary_share, most=4000, seed=1):
    """Compare answers of two classes until there is a decision."""
    rng, comparison = random.Random(seed), Comparison(RULES)
    for _ in range(most):
        pair = (answer("cat" if rng.random() < p else "dog") for p in (live_share, canary_share))
        comparison.add(*pair)
        if comparison.evidence.worse or comparison.evidence.is_passed:
            break
    return comparison


def test_equal_distributions_pass():
    comparison = compare(0.5, 0.5)
    assert comparison.evidence.is_passed
    assert [measure.name for measure in classes(comparison)] == [
        "class cat",
        "class dog",
        f"class {OTHERS}",
    ]
    assert "class " in str(comparison.evidence)


@pytest.mark.parametrize("canary_share", [0.2, 0.8])
def test_a_shift_in_either_direction_is_found(canary_share):
    worse = compare(0.5, canary_share).evidence.worse
    assert worse.name in {"class cat", "class dog"}
    assert abs(worse.live.share - worse.canary.share) > 0.1


def test_a_shift_within_the_margin_is_rarely_called_worse_though_every_answer_is_looked_at():
    verdicts = [compare(0.5, 0.6, most=400, seed=seed).evidence.worse for seed in range(40)]
    assert sum(worse is not None for worse in verdicts) <= 1


def test_numbers_are_compared_by_the_quarters_of_the_live_revisions_first_ones():
    comparison, rng = Comparison(RULES), random.Random(2)
    for number in range(CALIBRATION):
        comparison.add(answer(float(number)), answer(9.0))
    for _ in range(200):
        comparison.add(answer(rng.uniform(0.0, 49.0)), answer(rng.uniform(0.0, 10.0)))
    first, *_, last = classes(comparison)
    assert (first.name, last.name) == ("class up to 11.75", "class above 37.25")
    assert (first.threshold, last.threshold) == (11.75, 0.0)
    assert first.canary == Counts(200, 200)
    assert comparison.evidence.worse.name == "class up to 11.75"


def test_a_canary_does_not_pass_before_its_predictions_can_be_compared():
    comparison = Comparison(RULES)
    for _ in range(1000):
        comparison.add(Answer(0.01), Answer(0.01))
    assert not comparison.evidence.is_passed
    assert comparison.evidence.weakest.name == "class not known"


@pytest.mark.parametrize("prediction", ["cat", 3.5])
def test_a_recorded_comparison_is_continued_with_its_classes(prediction):
    comparison = Comparison(RULES)
    for number in range(CALIBRATION + 30):
        value = prediction if number % 3 else type(prediction)("5")
        comparison.add(answer(value), answer(value))
    recorded = tuple(measure.recorded for measure in comparison.measures)
    record = CanaryRecord("r", "v1", Decision.WATCHING, None, None, measures=recorded)
    again = Comparison.continued(RULES, record)
    assert again.measures == comparison.measures
    for each in (again, comparison):
        each.add(answer(prediction), answer(prediction))
    assert again.measures == comparison.measures


def test_many_classes_are_counted_together():
    classes = Classes(first=40)
    for number in range(40):
        classes.add_live(answer(number % 20).body)
    assert len(classes.names) == 11
    classes.add_canary(answer("never seen").body)
    classes.add_canary(b"no JSON")
    assert classes.canary[OTHERS] == 2


def test_a_margin_takes_more_evidence():
    live, canary = Counts(200, 20), Counts(200, 80)
    assert more_often(live, canary) > more_often(live, canary, 0.1) > 0.0
    assert more_often(live, canary, 0.3) == 0.0


def test_predictions_of_users_cannot_be_compared():
    with pytest.raises(UserError, match="compares the answers to requests that cloudserve sends"):
        CanaryRules(max_shift=0.1, source=Source.METRICS)
