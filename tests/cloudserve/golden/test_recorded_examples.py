"""Examples that servers record: refusals, redacted fields, and parts of answers."""

from __future__ import annotations

import math
import stat

import pytest

from cloudserve.errors import RemoteError, UserError
from cloudserve.golden.ask import served_locally
from cloudserve.golden.file import (
    Example,
    Golden,
    Header,
    Refusal,
    Tolerance,
    read_golden,
    write_golden,
)
from cloudserve.golden.recording import recording
from cloudserve.golden.redaction import parse_rule, parse_rules
from cloudserve.golden.replay import replay, trim
from cloudserve.golden.requests import read_requests

ONE = {"instances": [1.0]}
REFUSED = Example(ONE, error=Refusal(400, "INVALID_ARGUMENT"))
CHANGED = Example(ONE, redacted={"x": "round:0"})


def answering(text):
    return lambda _body: text


def refusing(status):
    def ask(_body):
        raise RemoteError(f"HTTP {status}", status=status, hint="none")

    return ask


def of(*examples, **header):
    return Golden(Header(**header), examples)


def differing(example, answer, **header):
    return replay(of(example, **header), answering(answer)).differing


def test_a_refusal_has_to_have_the_recorded_status():
    assert replay(of(REFUSED), refusing(400)).differing == 0
    assert replay(of(REFUSED), refusing(500)).errors == (
        "request 1: HTTP 500 instead of HTTP 400 INVALID_ARGUMENT",
    )
    assert replay(of(REFUSED), answering(b'{"predictions": [1.0]}')).errors == (
        "request 1: an answer instead of the error HTTP 400 INVALID_ARGUMENT",
    )


def test_a_partial_answer_is_compared_with_the_outputs_that_it_has():
    part = Example(ONE, {"predictions": [{"p": 1.0}]}, partial=True)
    assert differing(part, b'{"predictions": [{"p": 1.0, "q": 2.0}]}') == 0
    assert differing(part, b'{"predictions": [{"p": 3.0, "q": 2.0}]}') == 1
    assert differing(part, b'{"predictions": [{"q": 2.0}]}') == 1
    whole = Example(ONE, {"predictions": [{"p": 1.0}]})
    assert differing(whole, b'{"predictions": [{"p": 1.0, "q": 2.0}]}') == 1


def test_a_hashed_output_is_not_compared():
    hashed = Example(ONE, {"predictions": [{"t": "6f", "p": 1.0}]}, redacted={"t": "hash"})
    assert differing(hashed, b'{"predictions": [{"t": "cat", "p": 1.0}]}') == 0
    assert differing(hashed, b'{"predictions": [{"t": "cat", "p": 2.0}]}') == 1


@pytest.mark.parametrize(
    ("actual", "expected"), [("0.334", 0), ("0.325", 0), ("0.336", 1), ("0.324", 1)]
)
def test_a_rounded_output_is_what_it_may_have_been_rounded_from(actual, expected):
    rounded = Example(ONE, {"predictions": [0.33]}, redacted={"": "round:2"})
    assert differing(rounded, b'{"predictions": [%b]}' % actual.encode()) == expected
    wide = Tolerance(absolute=0.01)
    assert differing(rounded, b'{"predictions": [%b]}' % actual.encode(), tolerance=wide) == 0


def test_requests_without_an_answer_are_counted_and_never_pass_alone():
    recorded = Example(ONE, {"predictions": [1.0]})
    result = replay(of(recorded, CHANGED), answering(b'{"predictions": [1.0]}'))
    assert (result.differing, result.unchecked) == (0, 1)
    with pytest.raises(UserError, match="no request has a recorded answer"):
        replay(of(CHANGED), answering(b'{"predictions": [1.0]}'))


def test_a_redacted_request_that_is_refused_is_a_difference():
    result = replay(of(Example(ONE, {"predictions": [1.0]}), CHANGED), refusing(400))
    assert result.differing == 2


def test_numbers_that_are_not_finite_are_recorded_and_sent_again(shared_models, tmp_path):
    values = [math.nan, math.inf, -math.inf]
    file = tmp_path / "g.jsonl"
    write_golden(of(Example({"instances": values}, {"predictions": values})), file)
    golden = read_golden(file)
    assert str(golden.examples[0].answer) == "{'predictions': [nan, inf, -inf]}"
    with served_locally(shared_models / "tfs_half_plus_two_cpu" / "123") as ask:
        assert replay(golden, ask).differing == 0


def test_the_requests_of_a_golden_file_are_read_as_requests(tmp_path):
    file = tmp_path / "g.jsonl"
    write_golden(of(Example(ONE, {"predictions": [1.0]}), REFUSED, CHANGED), file)
    assert read_requests(file) == [ONE, ONE]
    write_golden(of(REFUSED), file)
    with pytest.raises(UserError, match="no requests to answer"):
        read_requests(file)


def test_a_private_file_stays_private_when_it_is_trimmed(tmp_path):
    file, copy = tmp_path / "g.jsonl", tmp_path / "copy.jsonl"
    write_golden(of(*[Example(ONE, {"predictions": [1.0]})] * 2), file)
    file.chmod(0o600)
    for target in (copy, file):
        write_golden(trim(read_golden(file), 1), target)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", ["x", "forget:x", "drop:", "hash:", "round:x", "round:x:", "round:x:-1", "round::2"]
)
def test_an_invalid_rule_is_refused(text):
    with pytest.raises(UserError, match="is not a rule of redaction"):
        parse_rule(text)


def test_a_rule_names_its_field_whatever_that_contains():
    rule = parse_rule("round:a:b:3")
    assert (rule.field, rule.digits, str(rule)) == ("a:b", 3, "round:a:b:3")


def test_two_rules_for_one_field_are_refused():
    with pytest.raises(UserError, match="two rules for the field `x`"):
        parse_rules(("drop:x", "hash:x"))


def test_a_path_with_a_slash_is_a_folder_and_the_key_is_a_variable(tmp_path):
    environ = {"CLOUDSERVE_RECORD_KEY": "secret"}
    settings = recording(f"{tmp_path}/new/", environ=environ)
    assert (settings.is_folder, settings.key) == (True, b"secret")
    assert "secret" not in repr(settings)
    assert recording(str(tmp_path), environ={}).is_folder
    assert not recording(str(tmp_path / "file"), environ={}).is_folder
    assert recording(None) is None
