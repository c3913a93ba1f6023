"""Defects of short cuts: each kind is logged once, and all are counted and shown."""

from cloudserve.local_server.defects import DEFECTS, Defects
from cloudserve.local_server.monitoring.serving_metrics import ServingMetrics
from cloudserve.local_server.status import Code, StatusError


def test_the_first_of_each_kind_is_logged_with_its_traceback_and_all_are_counted(caplog):
    defects = Defects()
    for place, error in [
        ("a", KeyError("x")),
        ("a", KeyError("y")),
        ("a", TypeError()),
        ("b", KeyError()),
    ]:
        defects.report(place, error)
    assert dict(defects.counts()) == {
        ("a", "KeyError"): 2,
        ("a", "TypeError"): 1,
        ("b", "KeyError"): 1,
    }
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert "a defect in a, which is logged once" in caplog.messages[0]
    assert caplog.records[0].exc_info[0] is KeyError


def test_an_error_of_a_request_is_none(caplog):
    defects = Defects()
    defects.report("a", StatusError(Code.INVALID_ARGUMENT, "-1 is refused"))
    assert not [*defects.counts()]
    assert not caplog.messages


def test_the_metrics_show_those_of_the_process():
    DEFECTS.report("the place of a test", ZeroDivisionError())
    line = 'cloudserve_defects_total{place="the place of a test",error="ZeroDivisionError"} 1'
    assert line in ServingMetrics().page().decode().splitlines()
