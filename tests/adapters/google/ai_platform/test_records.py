"""Revisions travel through AI Platform's names and labels unharmed."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from cloudserve.adapters.google.ai_platform.records import (
    deployed,
    platform_name,
    revision_of,
    traffic,
)
from cloudserve.adapters.google.labels import version_labels
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.release.types import Revision, State
from tests.adapters.google.owned import model_labels

DIGEST = "0f3c5a9b7d21" + "e" * 52
REVISION = Revision(2, DIGEST)
REVISIONS = st.builds(
    Revision,
    st.integers(0, 2**63 - 1),
    st.text("0123456789abcdef", min_size=64, max_size=64),
)


def version(revision=REVISION, **fields):
    name = f"projects/p/models/m/versions/{platform_name(revision.id)}"
    return {"name": name, "labels": version_labels(revision), **fields}


@given(REVISIONS)
def test_labels_carry_a_revision_there_and_back(revision):
    assert revision_of(version(revision)) == revision


@given(REVISIONS)
def test_names_and_labels_keep_the_platforms_rules(revision):
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,127}", platform_name(revision.id))
    for key, value in (
        version_labels(revision) | model_labels("My-model_2", "a.bucket_with-dots")
    ).items():
        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key)
        assert re.fullmatch(r"[a-z0-9_-]{1,63}", value)


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"team": "x"},
        {**version_labels(REVISION), "cloudserve-number": "two"},
        {**version_labels(REVISION), "cloudserve-number": "3"},
        {**version_labels(REVISION), "cloudserve-digest-1": "f" * 32},
        {"cloudserve-number": "2"},
    ],
)
def test_a_version_with_other_labels_is_not_ours(labels):
    assert revision_of(version() | {"labels": labels}) is None
    assert deployed(version() | {"labels": labels}) is None


def test_a_version_becomes_a_deployed_revision():
    result = deployed(
        version(
            state="FAILED",
            deploymentUri="gs://b/x/",
            createTime="2024-05-06T07:08:09.123456789Z",
            errorMessage="Bad model",
        )
    )
    assert (result.revision, result.state, result.source) == (REVISION, State.FAILED, "gs://b/x/")
    assert result.created == datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)
    assert result.reason == "Bad model"


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_word(state):
    assert deployed(version(state=state.value.upper())).state is state


def test_an_unknown_state_is_taken_for_not_ready():
    assert deployed(version(state="UNKNOWN")).state is State.CREATING


def test_the_default_version_has_all_traffic():
    assert traffic({"defaultVersion": version(state="READY")}) == {REVISION.id: 1.0}


def test_nobody_has_traffic_without_a_working_default():
    assert traffic({}) == {}
    assert traffic({"defaultVersion": version(state="FAILED")}) == {}


def test_a_strangers_default_version_is_reported_under_its_own_name():
    stranger = {"name": "projects/p/models/m/versions/old", "state": "READY"}
    assert traffic({"defaultVersion": stranger}) == {"old": 1.0}
