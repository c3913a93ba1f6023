"""Pipelines of CI systems: complete files, with the same commands in each."""

import json
import os
import re
import subprocess

import pytest
import yaml

from cloudserve.errors import ConflictError, UserError
from cloudserve.project import load_project
from cloudserve.scaffold import SYSTEMS, render_pipeline, write_pipeline

PROJECT = """\
models:
  half: {path: models/half}
targets:
  prod: {provider: sagemaker, bucket: s3://models}
  eu: {provider: vertex, bucket: gs://models}
  mine: {provider: my-cloud}
"""
PAIRS = [
    (system, target)
    for system in SYSTEMS
    for target in ("prod", "eu")
    if (system, target) not in {("cloudbuild", "prod"), ("codebuild", "eu")}
]
WORDS = "cloudserve emulate -- cloudserve deploy", "plan deploy", "deploy", "promote", "rollback"
LOGINS = {
    "prod": ("aws-actions/configure-aws-credentials", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    "eu": ("google-github-actions/auth", "GOOGLE_APPLICATION_CREDENTIALS"),
}


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "cloudserve.yaml"
    path.write_text(PROJECT)
    return load_project(path)


@pytest.mark.parametrize(("system", "target"), PAIRS)
def test_a_pipeline_rehearses_plans_deploys_promotes_and_rolls_back(project, system, target):
    text = render_pipeline(system, project, "half", target)
    assert re.findall(r"%[a-z]+%", text) == []
    for word in WORDS:
        assert f"{word} half --target {target}" in text
    assert "pip install" in text
    assert "CLOUDSERVE_YES" in text
    assert max(map(len, text.splitlines())) <= 120
    if system != "jenkins":
        assert yaml.safe_load(text)


@pytest.mark.parametrize(("system", "target"), PAIRS)
def test_jobs_log_in_with_the_systems_identity_and_no_key(project, system, target):
    text = render_pipeline(system, project, "half", target)
    if system in {"cloudbuild", "codebuild"}:
        assert not any(login in text for login in LOGINS[target])
    else:
        assert LOGINS[target][system != "github"] in text
    assert not re.search("SECRET|ACCESS_KEY|PRIVATE_KEY|secrets", text)


@pytest.mark.parametrize("system", ["gitlab", "jenkins"])
def test_the_login_with_google_writes_an_external_account(project, system, tmp_path):
    text = render_pipeline(system, project, "half", "eu")
    if system == "gitlab":
        script = "\n".join(yaml.safe_load(text)[".release"]["before_script"][1:])
    else:
        match = re.search(r"sh '''\n(.*?)'''", text, re.DOTALL)
        script = match[1].replace("\\\\", "\\")
    token = tmp_path / "token"
    environment = {
        "PATH": os.environ["PATH"],
        "CI_PROJECT_DIR": str(tmp_path),
        "CLOUD_TOKEN": "secret",
        "CLOUD_TOKEN_FILE": str(token),
        "GOOGLE_WORKLOAD_IDENTITY_PROVIDER": "projects/1/locations/global/providers/p",
        "GOOGLE_SERVICE_ACCOUNT": "ci@p.iam.gserviceaccount.com",
    }
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=environment, check=True)
    account = json.loads((tmp_path / ".cloud-credentials").read_text())
    assert account["type"] == "external_account"
    assert account["audience"].endswith("/projects/1/locations/global/providers/p")
    assert "ci@p.iam.gserviceaccount.com" in account["service_account_impersonation_url"]
    if system == "gitlab":
        token = tmp_path / ".cloud-token"
        assert (token.read_text(), token.stat().st_mode & 0o077) == ("secret", 0)
    assert account["credential_source"]["file"] == str(token)


@pytest.mark.parametrize(
    ("system", "target", "sentence"),
    [
        ("cloudbuild", "prod", "cloudbuild does not release to `sagemaker`"),
        ("codebuild", "eu", "codebuild does not release to `vertex`"),
        ("github", "mine", "there is no pipeline for a target of `my-cloud`"),
        ("github", "prd", "no target `prd`"),
    ],
)
def test_a_target_that_the_system_cannot_release_to_is_refused(project, system, target, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        write_pipeline(system, project, "half", target)
    assert caught.value.hint
    assert sorted(project.path.parent.iterdir()) == [project.path]


def test_the_file_is_where_the_system_reads_it_and_is_not_replaced(tmp_path):
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "services" / "vision"
    folder.mkdir(parents=True)
    (folder / "cloudserve.yaml").write_text(PROJECT)
    project = load_project(folder / "cloudserve.yaml")
    path = write_pipeline("github", project, "half", "prod")
    assert path == tmp_path / ".github" / "workflows" / "release-half.yml"
    workflow = yaml.safe_load(path.read_text())
    assert workflow["env"]["CLOUDSERVE_PROJECT"] == "services/vision/cloudserve.yaml"
    path.write_text("mine")
    with pytest.raises(ConflictError, match="already exists"):
        write_pipeline("github", project, "half", "prod")
    assert path.read_text() == "mine"
    write_pipeline("github", project, "half", "prod", force=True)
    assert path.read_text() != "mine"
