"""The machines of a plan, from its stages."""

from cloudserve.cli.render.release.plan import plan_report
from cloudserve.cli.render.report import print_report
from cloudserve.release.capacity import Change, Machines, capacity_of

OLD, NEW = Machines("v1-a", "ml.m5.large", 2), Machines("v2-b", "ml.m5.large", 1, most=4)


def test_the_totals_are_of_one_moment_each():
    capacity = capacity_of([(OLD,), (OLD, NEW, OLD), (NEW, OLD), (NEW,)])
    assert (capacity.now, capacity.peak, capacity.after) == (2, 5, 1)
    assert capacity.machines == (
        Change("v1-a", "ml.m5.large", 2, 0),
        Change("v2-b", "ml.m5.large", 0, 1, most=4),
    )


def test_machines_of_one_kind_of_one_revision_are_one_row():
    capacity = capacity_of([(OLD, OLD), (OLD,)])
    assert capacity.machines == (Change("v1-a", "ml.m5.large", 4, 2),)


def test_a_plan_without_machines_has_none():
    assert capacity_of([(), ()]) is None


class Counting:
    """What a provider that knows its machines adds to the one in memory."""

    def machines(self, reading, actions):
        now = tuple(Machines(name, "tpu", 1) for name in reading.deployment.traffic)
        return [now, (*now, Machines("v124-new", "tpu", 1, most=3))]


def test_a_plan_shows_the_machines_now_and_after(releases, platform, capsys):
    releases().deploy(123)
    kind = type("CountingPlatform", (Counting, type(platform)), {})
    platform.__class__ = kind
    plan = releases().plan_deploy(124)
    report = plan_report(plan)
    assert report.document["capacity"] is plan.capacity
    print_report(report, "text")
    text = capsys.readouterr().out
    assert "machines: 1 now, 2 after" in text
    assert "v124-new tpu 0 1 to 3" in " ".join(text.split())
    assert releases().plan_deploy(123).capacity is None
