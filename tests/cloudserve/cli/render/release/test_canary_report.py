"""The report of a promotion by canary."""

from cloudserve.cli.render.release.deployment import canary_report
from cloudserve.cli.render.report import print_report
from cloudserve.release.canary.comparison import Measure
from cloudserve.release.canary.evidence import Counts
from cloudserve.release.canary.record import METRICS
from cloudserve.release.canary.run import CanaryOutcome, Step


def test_each_event_of_each_source_has_a_row(releases, capsys):
    releases().deploy(123)
    outcome = releases().promote()
    measures = (
        Measure("errors", Counts(1200, 12), Counts(600, 3), 0.02),
        Measure("class cat", Counts(500, 250), Counts(500, 260), 0.1, classes=2),
        Measure("errors", Counts(900, 0), Counts(100, 0), 0.02, METRICS),
    )
    canary = CanaryOutcome(outcome, "v1-live", (Step(10, 600, measures),))
    print_report(canary_report(canary), "table")
    assert capsys.readouterr().out.partition("compared with")[2].splitlines() == [
        " v1-live:",
        "STEP  REQUESTS OF  EVENT      CANARY        LIVE",
        "10 %  probes       errors     0.5% of 600   1.0% of 1,200",
        "10 %  probes       class cat  52.0% of 500  50.0% of 500",
        "10 %  metrics      errors     0.0% of 100   0.0% of 900",
    ]
