"""Where a target's calls go, in words, and what is refused about it."""

from dataclasses import replace

import pytest

from cloudserve.errors import ConflictError, ProjectError, UserError
from cloudserve.project import Target
from cloudserve.release.destination import (
    Destination,
    check_placeholders,
    is_loopback,
    one_endpoint,
)
from cloudserve.release.planning.plan_file import read_plan, write_plan
from cloudserve.release.types import CREATE_BUCKET

OFFLINE = Destination("aws", "http://127.0.0.1:8900", region="us-east-1")
REAL = Destination("aws", "", "account 123456789012", "us-east-1", "role Deployer")


@pytest.mark.parametrize(
    ("destination", "line"),
    [
        (OFFLINE, "aws · offline http://127.0.0.1:8900"),
        (REAL, "aws · account 123456789012 · us-east-1 · role Deployer"),
        (Destination("aws", region="us-east-1"), "aws · account unknown · us-east-1"),
        (
            Destination("google", "", "project p", "europe-west4", "ci@p.iam.gserviceaccount.com"),
            "google · project p · europe-west4 · ci@p.iam.gserviceaccount.com",
        ),
        (
            Destination("aws", "https://vpce.example", "account 1", "eu-west-1"),
            "aws · https://vpce.example · account 1 · eu-west-1",
        ),
    ],
)
def test_a_destination_is_one_line(destination, line):
    assert str(destination) == line


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("http://127.0.0.1:8900", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:80", True),
        ("http://localhost:1", True),
        ("http://sagemaker.localhost:1", True),
        ("https://localhost.example", False),
        ("http://cloud.example\\.localhost:1", False),
        ("https://sagemaker.us-east-1.amazonaws.com", False),
        ("http://10.0.0.1", False),
        ("", False),
        ("//[[::1]]", False),
    ],
)
def test_only_this_machine_is_offline(url, answer):
    assert is_loopback(url) is answer


def test_the_same_destination_may_have_another_principal_or_offline_port():
    assert REAL.is_same(replace(REAL, principal="user ada"))
    assert OFFLINE.is_same(replace(OFFLINE, endpoint="http://127.0.0.1:1"))
    assert not OFFLINE.is_same(REAL)
    assert not REAL.is_same(OFFLINE)
    assert not REAL.is_same(replace(REAL, account="account 210987654321"))
    assert not REAL.is_same(replace(REAL, region="us-west-2"))
    assert not OFFLINE.is_same(replace(OFFLINE, cloud="google"))


def test_services_of_which_only_some_are_offline_are_refused():
    urls = {"s3": "https://s3.amazonaws.com", "sagemaker": "http://127.0.0.1:8900"}
    with pytest.raises(UserError) as caught:
        one_endpoint(urls, "amazonaws.com")
    assert caught.value.message == (
        "the calls of sagemaker stay on this machine, and those of s3 do not"
    )
    assert one_endpoint(dict.fromkeys(urls, "http://127.0.0.1:8900"), "amazonaws.com")
    assert one_endpoint({"s3": "https://s3.amazonaws.com"}, "amazonaws.com") == ""
    assert one_endpoint({"s3": "https://s3.cn-north-1.amazonaws.com.cn"}, "amazonaws.com") == ""
    assert one_endpoint({"s3": "https://notamazonaws.com"}, "amazonaws.com") == (
        "https://notamazonaws.com"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bucket", "s3://my-bucket"),
        ("bucket", "gs://my-bucket"),
        ("project", "my-project"),
        ("role_arn", "arn:aws:iam::000000000000:role/my-sagemaker-role"),
    ],
)
def test_the_placeholders_of_init_are_refused_on_a_real_account_alone(name, value):
    target = Target("prod", "sagemaker", {name: value}, "cloudserve.yaml:9: targets.prod")
    check_placeholders(target, OFFLINE)
    with pytest.raises(ProjectError) as caught:
        check_placeholders(target, REAL)
    assert caught.value.message == f"`{name}` is still the placeholder `{value}`"
    assert caught.value.where == f"cloudserve.yaml:9: targets.prod.{name}"
    check_placeholders(replace(target, fields={name: f"{value}-2", "n": 1}), REAL)


def test_init_writes_no_placeholder_that_is_not_known(tmp_path, shared_models, monkeypatch):
    from cloudserve.project import load_project
    from cloudserve.scaffold import TARGETS, write_project

    (tmp_path / "m").symlink_to(shared_models / "tfs_half_plus_two_2v")
    path, _ = write_project(tmp_path, targets=TARGETS)
    for target in load_project(path, environ={}).targets.values():
        made_up = [value for value in target.fields.values() if "my-" in str(value)]
        assert made_up
        for value in made_up:
            with pytest.raises(ProjectError, match="is still the placeholder"):
                check_placeholders(replace(target, fields={"field": value}), REAL)


def test_a_plan_for_the_offline_clouds_is_refused_by_a_real_account(tmp_path, releases, platform):
    file = tmp_path / "plan.json"
    write_plan(releases().plan_deploy(123), file, "ada")
    platform.place = REAL
    with pytest.raises(ConflictError) as caught:
        releases().apply(read_plan(file))
    assert caught.value.message == (
        "the plan was made for memory · offline http://127.0.0.1:8900, "
        "and this is aws · account 123456789012 · us-east-1 · role Deployer"
    )
    assert platform.performed == []
    assert platform.blobs.objects == {}


def test_a_bucket_that_is_missing_is_the_first_step_of_a_plan_and_of_the_ledger(releases, platform):
    platform.blobs.is_made = False
    plan = releases().plan_deploy(123)
    assert plan.actions[0].kind == CREATE_BUCKET
    assert plan.actions[0].sentence == "make the bucket mem://bucket"
    assert releases().apply(plan).changed
    assert platform.blobs.is_made
    (release,) = releases().history()
    assert release.steps[0] == "make the bucket mem://bucket"
    assert releases().plan_deploy(123).actions == ()


def test_a_change_is_confirmed_before_anything_is_written(releases, platform):
    platform.blobs.is_made = False
    requests = []

    def refuse(plan):
        requests.append(plan)
        raise UserError("no")

    verbs = releases()
    verbs._confirm = refuse
    with pytest.raises(UserError, match="no"):
        verbs.deploy(123)
    assert not platform.blobs.is_made
    assert platform.blobs.objects == {}
    assert [action.kind for action in requests[0].actions] == [CREATE_BUCKET, "upload", "create"]
    releases().deploy(123)
    verbs.deploy(123)  # nothing to do, so nobody is asked
    assert len(requests) == 1
