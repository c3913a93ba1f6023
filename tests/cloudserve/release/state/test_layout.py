"""Where a model's files, ledger and lock lie: apart for each project, together for an endpoint."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from cloudserve.project import MODEL_NAME, PROJECT_NAME, TARGET_NAME
from cloudserve.release.state.layout import Layout
from cloudserve.release.types import Revision

MODELS = st.from_regex(MODEL_NAME, fullmatch=True)
TARGETS = st.from_regex(TARGET_NAME, fullmatch=True)
PROJECTS = st.one_of(st.just(""), st.from_regex(PROJECT_NAME, fullmatch=True))
ONE = Revision(1, "1" * 64)


def folders(layout):
    return layout.location(ONE).root, layout.manifests, layout.ledger


@given(MODELS, MODELS, TARGETS, PROJECTS, PROJECTS)
def test_projects_that_share_a_bucket_share_no_folder(model, other, target, mine, theirs):
    one, two = Layout("s3://b", model, target, mine), Layout("s3://b", other, target, theirs)
    assume((model, mine) != (other, theirs))
    for folder in folders(one):
        assert not any(folder.startswith(f) or f.startswith(folder) for f in folders(two))


def test_a_project_without_a_name_keeps_its_place():
    layout = Layout("s3://b", "half", "prod")
    assert layout.location(ONE).root == f"cloudserve/half/revisions/{ONE.id}/"
    assert layout.ledger == "cloudserve/half/targets/prod/ledger/"


def test_a_project_with_a_name_has_a_folder_of_its_own():
    layout = Layout("s3://b", "half", "prod", "shop")
    assert layout.location(ONE).root == f"cloudserve/project.shop/half/revisions/{ONE.id}/"
    assert layout.ledger == "cloudserve/project.shop/half/targets/prod/ledger/"


def test_an_endpoint_has_one_lock_whichever_target_and_project_wants_it():
    endpoint = "sagemaker/eu-west-1/half"
    one = Layout("s3://b", "half", "prod", "shop", endpoint)
    two = Layout("s3://b", "half", "staging", "", endpoint)
    assert one.lock == two.lock == "cloudserve/lock.sagemaker/eu-west-1/half.json"
    assert Layout("s3://b", "half", "prod").lock == "cloudserve/half/targets/prod/lock.json"
