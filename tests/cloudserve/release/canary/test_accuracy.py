"""The accuracy of a canary on labelled requests, in pairs with the live revision's."""

from __future__ import annotations

import json
import random
from math import log

import pytest

from cloudserve.errors import UserError
from cloudserve.golden.file import Example, Golden, Header, encode, write_golden
from cloudserve.release.canary.accuracy import (
    Labels,
    Pairs,
    labelled_needed,
    not_much_more_wrong,
    read_labels,
    shuffled,
    wrong_more_often,
)
from cloudserve.release.canary.comparison import Answer, Comparison, announced
from cloudserve.release.canary.rules import CanaryRules, Source

RULES = CanaryRules(more_wrong=0.05)


def share_decided(evidence, limit, *, lost, won, runs=300, most=400):
    """Return the share of seeded runs whose evidence reaches a limit at any time."""
    chance, decided = random.Random(11), 0
    for _ in range(runs):
        pairs = Pairs()
        for _ in range(most):
            drawn = chance.random()
            pairs = pairs.add(live=drawn >= won, canary=not won <= drawn < won + lost)
            if evidence(pairs) >= limit:
                decided += 1
                break
    return decided / runs


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_an_equal_canary_is_rarely_called_worse_however_often_one_looks(share):
    assert share_decided(wrong_more_often, log(1 / 0.05), lost=share, won=share) <= 0.05


def test_a_canary_at_the_margin_rarely_passes_however_often_one_looks():
    def passes(pairs):
        return not_much_more_wrong(pairs, 0.1)

    assert share_decided(passes, log(1 / 0.05), lost=0.15, won=0.05, runs=150, most=150) <= 0.05
    assert share_decided(passes, log(1 / 0.05), lost=0.1, won=0.0, runs=150, most=150) <= 0.05


def test_a_worse_canary_is_found_and_one_that_answers_alike_passes():
    assert share_decided(wrong_more_often, log(1 / 0.01), lost=0.2, won=0.02, runs=50) == 1.0
    needed = labelled_needed(0.05, RULES.pass_evidence)
    assert needed < 120
    assert not_much_more_wrong(Pairs(needed), 0.05) >= RULES.pass_evidence
    assert not_much_more_wrong(Pairs(needed - 1), 0.05) < RULES.pass_evidence


def test_answers_that_are_wrong_alike_prove_nothing_against_the_canary():
    assert wrong_more_often(Pairs(both_wrong=500)) == 0.0
    assert wrong_more_often(Pairs(lost=3, won=3)) == 0.0
    assert not_much_more_wrong(Pairs(both_wrong=500), 0.05) > RULES.pass_evidence


def test_the_pairs_add_up_to_the_wrong_answers_of_each():
    pairs = Pairs()
    for live, canary in ((True, True), (True, False), (True, False), (False, True), (False, False)):
        pairs = pairs.add(live=live, canary=canary)
    assert pairs == Pairs(both_right=1, both_wrong=1, lost=2, won=1)
    assert (pairs.live.events, pairs.canary.events, pairs.requests) == (2, 3, 5)


def compared(canary_right, number=200, rules=RULES):
    comparison = Comparison(rules)
    for n in range(number):
        comparison.add(Answer(0.01), Answer(0.01))
        comparison.add_labelled(b"%d" % n, live=True, canary=canary_right(n))
    return comparison


def test_a_less_accurate_canary_is_worse_and_its_share_is_shown():
    comparison = compared(lambda n: n % 5 > 0)
    assert comparison.evidence.worse.name == "wrong"
    assert "wrong 20.0% (live 0.0%) of 200 labelled" in str(comparison.evidence)
    assert comparison.measures[-1].recorded.e_worse > 1000


def test_a_canary_does_not_pass_before_enough_labelled_requests():
    rules = CanaryRules(more_wrong=0.05, more_errors=0.2, more_slow=0.2)
    assert not compared(lambda n: True, 80, rules).evidence.is_passed
    assert compared(lambda n: True, 200, rules).evidence.is_passed


def test_each_labelled_request_counts_once_a_step():
    comparison = Comparison(RULES)
    for _ in range(500):
        comparison.add_labelled(b"same", live=True, canary=False)
    assert comparison.measures[-1].canary.requests == 1


def golden(tmp_path, *examples, label=""):
    path = tmp_path / "golden.jsonl"
    write_golden(Golden(Header(label=label), examples), path)
    return path


def test_labels_are_compared_with_the_output_that_the_file_names(tmp_path):
    request = {"instances": [[1.0], [2.0]]}
    labels = read_labels(golden(tmp_path, Example(request, labels=[1, 0]), label="scores"))
    body = encode(request)

    def is_right(first, second):
        predictions = [{"scores": first, "n": 1}, {"scores": second, "n": 1}]
        return labels.is_right(body, json.dumps({"predictions": predictions}).encode())

    assert is_right([0.1, 0.9], [0.8, 0.2])
    assert not is_right([0.1, 0.9], [0.2, 0.8])
    assert not labels.is_right(body, b"")
    assert not labels.is_right(body, b'{"error": "no"}')
    with pytest.raises(UserError, match="no output `scores`"):
        labels.check(body, b'{"predictions": [{"n": 1}, {"n": 1}]}')


def test_a_file_without_labels_is_refused(tmp_path):
    (tmp_path / "plain.jsonl").write_text('{"instances": [1]}\n')
    unlabelled = golden(tmp_path, Example({"instances": [1]}, {"predictions": [1]}))
    for path in (tmp_path / "plain.jsonl", unlabelled):
        with pytest.raises(UserError, match="the requests have no labels") as caught:
            read_labels(path)
        assert caught.value.where == str(path)


def test_a_sorted_file_is_sent_in_another_order_which_is_always_the_same():
    requests = [b"%d" % n for n in range(50)]
    assert shuffled(requests) == shuffled(requests) != tuple(requests)
    assert sorted(shuffled(requests)) == sorted(requests)


def test_the_rule_needs_requests_of_cloudserve_and_shares_the_false_alarms():
    with pytest.raises(UserError, match="`more_wrong` of a canary"):
        CanaryRules(more_wrong=0.05, source=Source.METRICS)
    assert RULES.alarm_evidence > CanaryRules().alarm_evidence
    assert "of them labelled" in announced(RULES)


def test_labels_without_a_rule_change_nothing():
    labels = Labels({b"x": [1]})
    assert labels.is_right(b"x", b'{"predictions": [1]}')
    assert [measure.name for measure in Comparison(CanaryRules()).measures] == ["errors", "slow"]
