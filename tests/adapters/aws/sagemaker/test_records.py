"""Revisions travel through SageMaker's names, tags and configurations unharmed."""

from __future__ import annotations

import re

import pytest
from cloudserve.adapters.aws.sagemaker.images import default_image
from cloudserve.adapters.aws.sagemaker.records import (
    Endpoint,
    canonical,
    config_name,
    model_name,
    new_variant,
    revision_id_of,
    revision_of,
    tag_list,
    weighted,
    without_underscores,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudserve.errors import UserError
from cloudserve.images.container_images import ACCOUNTS
from cloudserve.project import MODEL_NAME
from cloudserve.release.types import Revision, State

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""EntityName in SageMaker's service model."""
MODELS = st.from_regex(MODEL_NAME, fullmatch=True).filter(lambda name: len(name) <= 30)
REVISIONS = st.builds(
    Revision, st.integers(0, 10**12), st.text("0123456789abcdef", min_size=64, max_size=64)
)
VARIANTS = st.lists(
    st.builds(new_variant, MODELS, MODELS, st.just("ml.m5.large"), st.integers(1, 9)),
    max_size=4,
    unique_by=lambda spec: spec["VariantName"],
)


def endpoint(status="InService", weights=None, names=("a", "b")):
    variants = tuple(new_variant(name, name, "ml.m5.large", 1) for name in names)
    return Endpoint("e", "arn", status, "c", variants, weights or {})


@given(MODELS, REVISIONS)
def test_names_keep_sagemakers_rules_and_lead_back(model, revision):
    base = without_underscores(model)
    name = model_name(base, revision.id)
    assert NAME.fullmatch(name)
    assert NAME.fullmatch(base)
    assert NAME.fullmatch(config_name(base, "[]"))
    assert revision_id_of(name, base) == revision.id


@given(MODELS, REVISIONS)
def test_tags_carry_a_revision_there_and_back(model, revision):
    tags = tag_list({"cloudserve-model": model}, number=revision.number, digest=revision.digest)
    assert revision_of({tag["Key"]: tag["Value"] for tag in tags}) == revision


def test_a_name_that_is_too_long_says_by_how_much():
    with pytest.raises(UserError, match="longer than the 63") as error:
        model_name("m" * 40, "v1700000000-0f3c5a9b7d21")
    assert error.value.hint == "shorten the model's name, or the target's `endpoint_name`, by 2"


@pytest.mark.parametrize(
    "name", ["half", "half-v1", "half-v1-0f3c5a9b7d2", "half-more-v1-0f3c5a9b7d21", "other"]
)
def test_another_models_names_lead_to_no_revision(name):
    assert revision_id_of(name, "half") is None


@pytest.mark.parametrize("tags", [{}, {"cloudserve-number": "1"}, {"cloudserve-number": "x"}])
def test_other_tags_are_no_revision(tags):
    assert revision_of(tags) is None


@settings(max_examples=30)
@given(VARIANTS, st.randoms())
def test_a_configurations_name_is_that_of_its_content(variants, random):
    shuffled = [dict(random.sample(list(v.items()), len(v))) for v in variants]
    random.shuffle(shuffled)
    assert canonical(variants) == canonical(shuffled)
    changed = weighted(variants, {v["VariantName"]: 0.5 for v in variants})
    if variants:
        assert config_name("m", canonical(changed)) != config_name("m", canonical(variants))


def test_shares_are_weights_over_their_sum():
    assert endpoint(weights={"a": 1.0, "b": 3.0}).shares == {"a": 0.25, "b": 0.75}
    assert endpoint(weights={"a": 0.0, "b": 2.0}).shares == {"a": 0.0, "b": 1.0}


def test_nobody_has_a_share_when_nothing_is_served():
    assert endpoint(weights={}).shares == {}
    assert endpoint(weights={"a": 0.0}).shares == {}
    assert endpoint("Failed", {"a": 1.0}).shares == {}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Creating", State.CREATING),
        ("Updating", State.UPDATING),
        ("SystemUpdating", State.UPDATING),
        ("RollingBack", State.UPDATING),
        ("InService", State.READY),
        ("UpdateRollbackFailed", State.READY),
        ("Deleting", State.DELETING),
        ("Failed", State.FAILED),
        ("OutOfService", State.FAILED),
        ("SomethingNew", State.UPDATING),
    ],
)
def test_every_status_has_its_word(status, state):
    assert endpoint(status).state is state


@pytest.mark.parametrize(
    ("region", "kind", "image"),
    [
        (
            "us-east-1",
            "ml.m5.large",
            "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu-py312",
        ),
        (
            "eu-central-2",
            "ml.g5.xlarge",
            "380420809688.dkr.ecr.eu-central-2.amazonaws.com/tensorflow-inference:2.20-gpu-py312",
        ),
        (
            "cn-north-1",
            "ml.p4d.24xlarge",
            "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/tensorflow-inference:2.20-gpu-py312",
        ),
    ],
)
def test_an_image_is_that_of_region_and_device(region, kind, image):
    assert default_image(region, kind) == image


def test_a_region_that_the_table_does_not_know_has_no_image():
    assert default_image("mars-north-1", "ml.m5.large") is None


def test_every_region_has_an_account_of_twelve_digits():
    assert len(ACCOUNTS) == 38
    assert all(re.fullmatch(r"\d{12}", account) for account in ACCOUNTS.values())
