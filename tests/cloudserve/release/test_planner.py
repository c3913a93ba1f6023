"""Which revision is meant, and which one is live."""

from cloudserve.release.nouns import Deployed, Deployment, Revision, State
from cloudserve.release.planner import choose


def test_a_number_goes_before_the_beginning_of_a_digest():
    named = Deployed(Revision(1234, "f" * 64), State.READY, "")
    alike = Deployed(Revision(2, "1234" + "0" * 60), State.READY, "")
    assert choose(Deployment("m", "t", (alike, named)), "1234") is named


def test_a_revision_without_traffic_is_not_live():
    assert Deployment("m", "t", traffic={"v1-0": 0.0}).live is None
