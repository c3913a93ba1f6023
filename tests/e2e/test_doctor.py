"""`cloudserve doctor` with the real command line against the real emulator."""

import json
from xml.etree import ElementTree as ET

import boto3


def results(out):
    return {one["id"]: one for one in json.loads(out)["results"]}


def test_a_target_is_checked_before_and_after_its_first_release(terminal):
    name = terminal.model
    before = results(terminal.ok("doctor", "-t", "aws", "-o", "json"))
    assert before["account"]["text"].startswith("aws · offline http://127.0.0.1:")
    assert before["clock"]["status"] == "ok"
    assert before["bucket"]["status"] == "warning"
    assert before["bucket"]["why"] == "the first deployment creates it"
    assert before[f"endpoint of {name}"]["text"] == "nothing has traffic"
    assert before[f"model {name}"]["text"].startswith("the newest version is 2, in ")
    assert {before[f"target {target}"]["status"] for target in ("gcp", "aws")} == {"ok"}
    terminal.ok("deploy", name, "-t", "aws", "--version", "1")
    after = results(terminal.ok("doctor", "-t", "aws", "-o", "json"))
    assert after["bucket"]["status"] == "ok"
    assert after[f"endpoint of {name}"]["text"].startswith("v1-")


def test_failures_have_a_remedy_and_exit_with_6(terminal):
    file = terminal.folder / "cloudserve.yaml"
    file.write_text(file.read_text().replace("provider: sagemaker", "provider: sagemakr"))
    code, out, err = terminal.run("doctor")
    assert (code, err) == (6, "")
    (number,) = (i for i, line in enumerate(out.splitlines()) if line.startswith("failed"))
    failed, remedy = out.splitlines()[number : number + 2]
    assert "there is no adapter `sagemakr`" in failed
    assert "To do: did you mean `sagemaker`?" in remedy
    code, out, _ = terminal.run("doctor", "-t", "aws", "-o", "junit")
    suite = ET.fromstring(out).find("testsuite")
    failures = [case.get("name") for case in suite if case.find("failure") is not None]
    assert (code, failures) == (6, ["target aws"])


def test_a_broken_project_file_is_a_result_and_a_missing_one_is_not_needed(terminal, tmp_path):
    (terminal.folder / "cloudserve.yaml").write_text("models: [")
    code, out, _ = terminal.run("doctor", "-o", "json")
    assert (code, results(out)["project"]["status"]) == (6, "failed")
    (terminal.folder / "cloudserve.yaml").unlink()
    found = results(terminal.ok("doctor", "-o", "json"))
    assert found["project"]["status"] == "skipped"
    code, out, _ = terminal.run("doctor", "-t", "aws", "-o", "json")
    assert (code, results(out)["project"]["status"]) == (6, "failed")


def test_a_missing_permission_and_a_role_that_sagemaker_may_not_assume_are_found(
    terminal, running_clouds
):
    denied = ("--deny", "sagemaker:CreateEndpoint,s3:PutObject")
    with running_clouds(*denied, "--limit", "ml.m5.large=2") as denying:
        terminal.environment = {**denying.environment, "CLOUDSERVE_ACTOR": "ada"}
        code, out, _ = terminal.run("doctor", "-t", "aws", "-o", "json")
        found = results(out)
        assert code == 6
        permissions = found["permissions"]
        assert permissions["status"] == "failed"
        assert permissions["text"].endswith(" may not s3:PutObject, sagemaker:CreateEndpoint")
        quota = "2 of ml.m5.large for endpoints; a release needs 3"
        assert (found["quota"]["status"], found["quota"]["text"]) == ("failed", quota)
        iam = boto3.client("iam", **client_options(denying.environment))
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
        document = {"Version": "2012-10-17", "Statement": [trust | {"Action": "sts:AssumeRole"}]}
        iam.create_role(RoleName="rehearsal", AssumeRolePolicyDocument=json.dumps(document))
        _, out, _ = terminal.run("doctor", "-t", "aws", "-o", "json")
        role = results(out)["endpoint role"]
        assert (role["status"], "does not name sagemaker.amazonaws.com" in role["text"]) == (
            "failed",
            True,
        )
        iam.close()


def test_a_missing_permission_of_google_is_found(terminal, running_clouds):
    denied = "aiplatform.endpoints.deploy,storage.objects.delete"
    file = terminal.folder / "cloudserve.yaml"
    file.write_text(file.read_text().replace("provider: ai-platform", "provider: vertex"))
    with running_clouds("--deny", denied) as denying:
        terminal.environment = {**denying.environment, "CLOUDSERVE_ACTOR": "ada"}
        target = ("doctor", "-t", "gcp", "-o", "json")
        code, out, _ = terminal.run(*target)
        found = results(out)
        assert (code, found["permissions"]["status"]) == (6, "failed")
        assert "may not aiplatform.endpoints.deploy in the project" in found["permissions"]["text"]
        assert found["bucket's region"]["status"] == "skipped"
        terminal.run("deploy", terminal.model, "-t", "gcp", "--version", "1")
        found = results(terminal.run(*target)[1])
        on_bucket = found["permissions on the bucket"]
        assert on_bucket["status"] == "failed"
        assert "may not storage.objects.delete in gs://" in on_bucket["text"]
        assert found["bucket's region"]["status"] == "ok"


def client_options(environment):
    return {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "region_name": environment["AWS_REGION"],
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
    }
