"""Which revision is meant, and which one is live."""

import pytest

from cloudserve.release.planning.planner import choose
from cloudserve.release.planning.resolve import meant
from cloudserve.release.types import Deployed, Deployment, Revision, State


def test_a_number_goes_before_the_beginning_of_a_digest():
    named = Deployed(Revision(1234, "f" * 64), State.READY, "")
    alike = Deployed(Revision(2, "1234" + "0" * 60), State.READY, "")
    assert choose(Deployment("m", "t", (alike, named)), "1234") is named


ONE, TWO = f"v1-{'a' * 12}", f"v12-{'ab' * 6}"


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ("1", [ONE]),
        ("v12", [TWO]),
        (ONE, [ONE]),
        ("aaaa", [ONE]),
        ("abababababab", [TWO]),
        ("abababababab" + "0" * 52, [TWO]),  # a whole digest, where the id is all that is known
        ("aba", []),
        ("a", []),
        ("", []),
        ("v", []),
        ("v1-", []),
        ("01", []),
    ],
)
def test_a_revision_is_meant_by_its_number_its_id_or_four_digits_of_its_digest(wanted, ids):
    assert meant(wanted, {name: name.partition("-")[2] for name in (ONE, TWO)}) == ids


def test_a_revision_without_traffic_is_not_live():
    assert Deployment("m", "t", traffic={"v1-0": 0.0}).live is None
