"""What a target calls its endpoints, and which of those that are there it may change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cloudserve.adapters.google.labels import VALUE, bucket_label, label_value
from cloudserve.adapters.ownership import Resource, ownership
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ConflictError, ProjectError
from cloudserve.project import Target
from cloudserve.release.owner import Owner

PROD = Target("prod", "sagemaker", {"region": "r"}, "cloudserve.yaml:5: targets.prod")
STAGING = Target("staging", "sagemaker", {"region": "r"})
MINE = {
    "cloudserve-model": "half",
    "cloudserve-project": "models",
    "cloudserve-target": "prod",
    "cloudserve-bucket": "models",
}
BEFORE = {"cloudserve-model": "half"}
"""The tags of an endpoint from before there were owners."""


def owning(*siblings, target=PROD, endpoint_name="", bucket="models"):
    return ownership(
        replace(target, siblings=siblings),
        bucket,
        endpoint_name,
        place=lambda of: of.fields.get("region"),
        fold=lambda name: name.replace("_", "-"),
        encode=str,
    )


def endpoint(tags, *buckets):
    def adopt(wanted):
        return "tag " + " ".join(f"{key}={value}" for key, value in wanted.items())

    return Resource("the endpoint half", "here", tags, lambda: buckets, adopt, is_endpoint=True)


def refusal(own, existing):
    with pytest.raises(ConflictError) as error:
        own.claims("half", existing)
    return error.value


class TestNames:
    def test_a_target_that_is_alone_has_the_models_name(self):
        assert owning().endpoint("my_model") == "my-model"

    def test_of_several_in_one_place_each_has_its_own(self):
        assert owning(STAGING).endpoint("half") == "half-prod"

    @pytest.mark.parametrize(
        "other",
        [replace(STAGING, provider="vertex"), replace(STAGING, fields={"region": "elsewhere"})],
        ids=["of another platform", "in another region"],
    )
    def test_a_target_elsewhere_does_not_count(self, other):
        assert owning(other).endpoint("half") == "half"

    def test_the_field_wins_and_has_a_place_for_the_model(self):
        assert owning(STAGING, endpoint_name="half").endpoint("half") == "half"
        assert owning(endpoint_name="{model}-eu").endpoint("half") == "half-eu"

    @pytest.mark.parametrize("name", ["a b", "{target}", "-half", "{model", "a/b"])
    def test_an_invalid_endpoint_name_is_refused_with_its_place(self, name):
        with pytest.raises(ProjectError, match="is not an endpoint's name") as error:
            owning(endpoint_name=name)
        assert error.value.where == "cloudserve.yaml:5: targets.prod.endpoint_name"
        assert "{model}" in error.value.hint


class TestClaims:
    def test_an_endpoint_with_the_owners_tags_is_the_targets(self):
        assert owning().claims("half", endpoint(MINE))

    @pytest.mark.parametrize(
        "key", ["cloudserve-project", "cloudserve-target", "cloudserve-bucket"]
    )
    def test_another_owner_is_refused_and_named(self, key):
        error = refusal(owning(), endpoint(MINE | {key: "other"}, "models"))
        assert error.message.startswith("the endpoint half belongs to the target ")
        assert "other" in error.message
        assert "`endpoint_name`" in error.hint

    def test_the_owner_is_reported_in_words(self):
        assert str(Owner("shop", "prod", "b")) == "the target prod of the project shop, bucket b"
        assert (
            str(Owner("b", "prod", "b")) == "the target prod of a project without a name, bucket b"
        )

    def test_another_model_is_refused_and_named(self):
        error = refusal(owning(), endpoint(MINE | {"cloudserve-model": "other"}))
        assert error.message == "the endpoint half belongs to the model `other`"

    @pytest.mark.parametrize("tags", [{}, {"team": "x"}])
    def test_an_endpoint_without_our_tags_is_refused_with_the_tags_that_adopt_it(self, tags):
        error = refusal(owning(), endpoint(tags, "models"))
        assert "nothing says that it is this target's" in error.message
        assert error.hint.endswith(
            "tag cloudserve-model=half cloudserve-project=models cloudserve-target=prod "
            "cloudserve-bucket=models"
        )
        assert owning().claims("half", endpoint(tags | MINE))


class TestEndpointsOlderThanOwners:
    def test_it_belongs_to_the_bucket_that_its_files_are_in(self):
        assert not owning().claims("half", endpoint(BEFORE, "models"))

    @pytest.mark.parametrize("buckets", [("other",), ("models", "other"), ()])
    def test_files_of_another_bucket_or_of_none_are_refused(self, buckets):
        error = refusal(owning(), endpoint(BEFORE, *buckets))
        assert all(bucket in error.message for bucket in buckets)

    def test_it_never_belongs_to_a_project_with_a_name(self):
        named = owning(target=replace(PROD, project="shop"))
        assert "nothing says" in refusal(named, endpoint(BEFORE, "models")).message

    def test_a_former_endpoint_that_two_targets_name_is_refused(self):
        rival = replace(STAGING, fields={"region": "r", "endpoint_name": "half"})
        error = refusal(owning(rival, endpoint_name="half"), endpoint(BEFORE, "models"))
        assert "staging names it too" in error.message

    def test_the_former_endpoint_of_a_target_that_was_alone_is_not_left_behind(self):
        own = owning(STAGING)
        assert own.former("half") == "half"
        with pytest.raises(ConflictError, match="it may belong to prod or staging") as error:
            own.check_former("half", endpoint(BEFORE, "models"))
        assert "`endpoint_name: half`" in error.value.hint
        with pytest.raises(ConflictError, match=r"it may belong to prod$"):
            own.check_former("half", endpoint(MINE))

    @pytest.mark.parametrize(
        ("tags", "bucket"),
        [(MINE | {"cloudserve-target": "staging"}, "models"), (BEFORE, "other"), ({}, "models")],
        ids=["of the other target", "of another bucket", "of nobody"],
    )
    def test_the_former_endpoint_of_another_owner_passes(self, tags, bucket):
        owning(STAGING).check_former("half", endpoint(tags, bucket))

    def test_a_target_with_a_name_of_its_own_has_no_former_endpoint(self):
        assert owning(STAGING, endpoint_name="half-prod").former("half") == ""
        assert owning().former("half") == ""


class TestEndpointsLeftBehind:
    """Endpoints that are there while the target's own is not."""

    STAGING_TOO = MINE | {"cloudserve-target": "staging"}

    def check(self, own, *tags):
        own.check_beside("half", [replace(endpoint(each), name="old") for each in tags])

    def test_the_targets_own_under_another_name_is_refused_before_others(self):
        with pytest.raises(ConflictError, match="is this target's, and half would be") as error:
            self.check(owning(), self.STAGING_TOO, MINE)
        assert "`endpoint_name: old`" in error.value.hint

    def test_the_endpoint_of_a_target_that_the_project_does_not_have_is_refused(self):
        with pytest.raises(ConflictError, match="which the project file does not have") as error:
            self.check(owning(), self.STAGING_TOO)
        assert "name this project" in error.value.hint

    @pytest.mark.parametrize(
        ("own", "tags"),
        [
            (owning(STAGING), STAGING_TOO),
            (owning(replace(STAGING, provider="vertex")), STAGING_TOO),
            (owning(endpoint_name="mine"), STAGING_TOO),
            (owning(), MINE | {"cloudserve-project": "shop"}),
            (owning(), MINE | {"cloudserve-model": "other"}),
            (owning(), BEFORE),
            (owning(), {}),
        ],
        ids=[
            "of a sibling",
            "of a sibling elsewhere",
            "of another target than the one that is named",
            "of another project",
            "of another model",
            "of the time before owners",
            "of nobody",
        ],
    )
    def test_endpoints_of_siblings_other_projects_and_nobody_pass(self, own, tags):
        self.check(own, tags)


@given(st.text(min_size=1), st.text(min_size=1))
def test_labels_tell_texts_apart_but_for_their_case(one, other):
    assert VALUE.fullmatch(label_value(one))
    assert (label_value(one) == label_value(other)) == (one.lower() == other.lower())


def test_the_bucket_of_a_url_is_a_label():
    assert bucket_label("gs://my_models/a/b") == "my_models"
    assert bucket_label("gs://models.example.com/a").startswith("models-example-com-")
