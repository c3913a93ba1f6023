"""Promotions and rollbacks from the page: planned, shown, carried out once, offline only."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudserve import api
from cloudserve.project import load_project
from tests.local_server.clouds.console.test_clouds_console import API, ask, shown, token

PROJECT = """
name: shop
models:
  scale: {path: scale}
targets:
  aws:
    provider: sagemaker
    bucket: s3://releasing
    role_arn: arn:aws:iam::000000000000:role/releasing
environments:
  prod: {targets: {aws: {endpoint_name: scale-prod}}}
  empty: {targets: {aws: {endpoint_name: scale-empty}}}
"""


@pytest.fixture(scope="module")
def released(models, new_emulator, tmp_path_factory):
    """Give clouds that were started with a project, both of whose versions are deployed."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(models / "double" / "1", folder / "scale" / "1")
    shutil.copytree(models / "triple" / "2", folder / "scale" / "2")
    file = folder / "cloudserve.yaml"
    file.write_text(PROJECT)
    running = new_emulator(None, project=file)
    # One thread for all services: a plan that took it would wait for ever for their answers.
    running._loop.call_soon_threadsafe(running._loop.set_default_executor, ThreadPoolExecutor(1))
    try:
        running.make_bucket("releasing")
        project = load_project(file)
        for version in (1, 2):
            api.deploy(project, "scale", "aws", version=version, environ=running.environment)
        yield running
    finally:
        running.stop()


def post(clouds, path, body, **headers):
    """Return status and document of a change."""
    kept = {"X-Cloudserve-Token": token(clouds), **headers}
    status, text = ask(clouds, "POST", f"{API}/releases/{path}", kept, json.dumps(body))
    return status, json.loads(text)


def wanted(operation="promote", **more):
    return {"operation": operation, "model": "scale", "target": "aws", **more}


def answer(clouds, endpoint="scale"):
    """Return what an endpoint answers."""
    response = clouds.aws("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="application/json", Body=b'{"instances": [1.0]}'
    )
    return json.loads(response["Body"].read())["predictions"]


def test_a_plan_is_shown_carried_out_once_and_rolled_back(released):
    assert answer(released) == [2.0]
    assert shown(released, "project")["models"] == ["scale"]
    status, plan = post(released, "plan", wanted(version="2"))
    assert (status, plan["title"].split()[:2]) == (200, ["promote", "scale"])
    assert plan["actions"]
    remark, command = plan["command"].split("\n")
    assert remark == "# with the variables that cloudserve emulate printed"
    assert command.startswith("cloudserve promote scale -t aws --version v2-")
    assert command.endswith(" --project " + str(released.emulator._command.project))
    assert released.url in plan["destination"]
    assert answer(released) == [2.0]
    status, done = post(released, "apply", {"id": plan["id"]})
    assert (status, done["is_done"], done["error"]) == (200, True, "")
    assert answer(released) == [3.0]
    assert post(released, "apply", {"id": plan["id"]})[0] == 409
    back = post(released, "plan", wanted("rollback"))[1]
    assert post(released, "apply", {"id": back["id"]})[1]["is_done"]
    assert answer(released) == [2.0]


def test_a_release_of_an_environment_changes_no_other(released):
    project = load_project(released.emulator._command.project, environment="prod")
    for version in (1, 2):
        api.deploy(project, "scale", "aws", version=version, environ=released.environment)
    row = shown(released, "project")
    assert (row["environments"], row["environment"]) == (["prod", "empty"], "")
    plan = post(released, "plan", wanted(version="2", environment="prod"))[1]
    assert plan["environment"] == "prod"
    assert plan["title"].endswith(" on aws, environment prod")
    assert " --env prod --project " in plan["command"]
    assert post(released, "apply", {"id": plan["id"]})[1]["is_done"]
    assert (answer(released, "scale-prod"), answer(released)) == ([3.0], [2.0])
    newest = shown(released, "releases")[0]
    assert (newest["operation"], newest["environment"]) == ("promote", "prod")
    status, refused = post(released, "plan", wanted(version="2", environment="empty"))
    assert status == 409
    assert "cloudserve deploy scale --target aws --env empty" in refused["error"]
    status, unknown = post(released, "plan", wanted(version="2", environment="prd"))
    assert (status, "did you mean `prod`" in unknown["error"]) == (409, True)


def test_the_shells_environment_is_the_pages_default_and_no_more(released, monkeypatch):
    base = post(released, "plan", wanted(version="2", environment=""))[1]
    monkeypatch.setenv("CLOUDSERVE_ENV", "empty")
    file = released.emulator._command.project
    file.write_text(f"{PROJECT}\n# read again\n")
    assert shown(released, "project")["environment"] == "empty"
    assert post(released, "plan", wanted(version="2"))[0] == 409  # nothing is deployed there
    again = post(released, "plan", wanted(version="2", environment=""))[1]
    assert "\nenv -u CLOUDSERVE_ENV cloudserve " in again["command"]
    # A plan is carried out in its own environment.
    assert post(released, "apply", {"id": base["id"]})[1]["is_done"]
    assert answer(released) == [3.0]
    back = post(released, "plan", wanted("rollback", environment=""))[1]
    assert post(released, "apply", {"id": back["id"]})[1]["is_done"]
    assert answer(released) == [2.0]


@pytest.mark.slow
def test_a_plan_that_has_become_another_is_refused_and_changes_nothing(released):
    plan = post(released, "plan", wanted(version="2"))[1]
    other = post(released, "plan", wanted(version="2", percent=50))[1]
    assert post(released, "apply", {"id": other["id"]})[1]["is_done"]
    done = post(released, "apply", {"id": plan["id"]})[1]
    assert (done["is_done"], bool(done["error"])) == (False, True)
    back = post(released, "plan", wanted("rollback", version="1"))[1]
    assert post(released, "apply", {"id": back["id"]})[1]["is_done"]
    assert answer(released) == [2.0]


def test_other_sites_callers_without_the_token_and_nonsense_are_refused(released):
    body = wanted(version="2")
    assert [
        post(released, "plan", body, **{"X-Cloudserve-Token": ""})[0],
        post(released, "plan", body, **{"X-Cloudserve-Token": "guessed"})[0],
        post(released, "plan", body, Origin="https://evil.example")[0],
        post(released, "plan", body, Host="evil.example")[0],
        post(released, "apply", {"id": "guessed"})[0],
        post(released, "apply", [])[0],
        post(released, "plan", wanted("undeploy"))[0],
        post(released, "plan", wanted(more=1))[0],
        post(released, "plan", wanted(percent=0))[0],
        post(released, "plan", wanted(version="9"))[0],
        post(released, "plan", {**body, "model": "none"})[0],
    ] == [403, 403, 403, 403, 409, 400, 400, 400, 409, 409, 409]


def test_only_these_offline_clouds_are_released_to(released, monkeypatch):
    # Variables of the process never lead a release of the page anywhere else.
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert post(released, "plan", wanted(version="2"))[0] == 200
    there = post(released, "plan", wanted(version="2"))[1]["destination"]
    assert released.url in there


def test_without_a_project_nothing_is_released(clouds):
    status, _ = post(clouds, "plan", wanted(version="2"))
    assert status == 405
