"""A Vertex AI target after Google took its prebuilt image away: what is deployed stays in hand."""

from __future__ import annotations

import json
from datetime import date

import pytest

from cloudserve.errors import UserError
from cloudserve.project import Target
from cloudserve.testing.provider_contract import MODEL
from cloudserve.testing.provider_steps import live, perform, plan, promote, put

LAST, GONE = date(2027, 1, 13), date(2027, 1, 14)
REFUSAL = "Google took the prebuilt image of TensorFlow 2.15 away by 2027-01-14"


@pytest.fixture
def on(bucket, vertex):
    """Give what makes the same target's provider on a day."""

    def on(day, **fields):
        values = {"bucket": f"gs://{bucket}", "project": f"p-{bucket}", **fields}
        return vertex(Target("gcp", "vertex", values, "f:1"), day=day)

    return on


@pytest.fixture
def deployed(on, half_plus_two, half_plus_three):
    """Deploy versions 1 (live) and 2 on the image's last day, and return their revisions."""
    revisions = []
    for number, source in enumerate((half_plus_two, half_plus_three), 1):
        revisions.append(put(on(LAST), MODEL, number, source))
        perform(on(LAST), plan(on(LAST), MODEL, revisions[-1]))
    return revisions


def ask(provider):
    return json.loads(provider.predict(MODEL, b'{"instances": [1.0]}'))["predictions"]


def test_a_deployment_of_a_removed_image_is_read_asked_promoted_and_rolled_back(on, deployed):
    one, two = deployed
    provider = on(GONE)
    assert (live(provider.read(MODEL).deployment), ask(provider)) == ({one.id: 1.0}, [2.5])
    promote(provider, MODEL, two, 10)
    promote(provider, MODEL, one)
    assert (live(provider.read(MODEL).deployment), ask(provider)) == ({one.id: 1.0}, [2.5])
    assert [d.revision for d in provider.read(MODEL).deployment.revisions] == deployed


def test_a_running_deployment_has_an_empty_plan(on, deployed):
    assert plan(on(GONE), MODEL, deployed[0]) == ()


def test_a_new_version_is_refused_before_anything_is_sent(on, deployed, half_plus_two):
    provider = on(GONE)
    three = put(provider, MODEL, 3, half_plus_two)
    with pytest.raises(UserError, match=REFUSAL) as error:
        plan(provider, MODEL, three)
    assert error.value.where == "f:1.tensorflow_version"
    assert "`image`" in error.value.hint
    own = on(GONE, image="us-docker.pkg.dev/p/r/tensorflow-serving:2.19")
    perform(own, plan(own, MODEL, three))
    promote(own, MODEL, three)
    assert live(own.read(MODEL).deployment) == {three.id: 1.0}


def test_a_version_of_the_registry_keeps_its_image(on, deployed):
    one, two = deployed
    promote(on(LAST, keep_idle=0), MODEL, two)  # undeploys the first
    provider = on(GONE)
    promote(provider, MODEL, one)
    assert (live(provider.read(MODEL).deployment), ask(provider)) == ({one.id: 1.0}, [2.5])
