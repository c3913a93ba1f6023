"""SageMaker with the real command line against the real emulator: guarded, approved, cut short."""

import json
import signal

import boto3
import pytest

TARGET = """\
  guarded:
    provider: sagemaker
    bucket: s3://{bucket}
    role_arn: arn:aws:iam::000000000000:role/rehearsal
    update: canary
    update_wait_seconds: 0
    package_group: {group}
  serverless:
    provider: sagemaker
    bucket: s3://{bucket}
    role_arn: arn:aws:iam::000000000000:role/rehearsal
    serverless_memory_mb: 2048
  many:
    provider: sagemaker
    bucket: s3://{bucket}
    role_arn: arn:aws:iam::000000000000:role/rehearsal
    multi_model: {group}
"""


@pytest.fixture
def terminal(terminal):
    names = {"bucket": f"{terminal.model}-models", "group": f"{terminal.model}-group"}
    with (terminal.folder / "cloudserve.yaml").open("a") as file:
        file.write(TARGET.format(**{key: name.replace("_", "-") for key, name in names.items()}))
    return terminal


def ask(terminal, target, *arguments):
    command = ("predict", terminal.model, "-t", target, *arguments)
    return json.loads(terminal.ok(*command, stdin='{"instances": [1.0, 5.0]}'))["predictions"]


def approve(terminal, arn):
    environment = terminal.environment
    client = boto3.client(
        "sagemaker",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")


def test_a_guarded_release_waits_for_its_approval_and_rolls_back(terminal):
    def run(command, *arguments):
        return terminal.ok(command, terminal.model, "-t", "guarded", *arguments)

    assert "deployed, live" in run("deploy", "--version", "1")
    run("deploy", "--allow-breaking")
    assert "nothing to do" in run("deploy")
    assert ask(terminal, "guarded") == [2.5, 4.5]
    assert ask(terminal, "guarded", "--version", "2") == [3.5, 5.5]

    code, out, err = terminal.run("promote", terminal.model, "-t", "guarded", "--allow-breaking")
    assert (code, out) == (6, "")
    assert "gate approval: " in err
    assert "waits for its approval in the model package group " in err
    arn = next(word for word in err.split() if word.startswith("arn:"))
    approve(terminal, arn)
    run("promote", "--allow-breaking")
    assert ask(terminal, "guarded") == [3.5, 5.5]
    assert "nothing to do" in run("promote")
    run("rollback")
    assert ask(terminal, "guarded") == [2.5, 4.5]


def test_invalid_serverless_fields_are_refused_before_anything_is_sent(terminal):
    command = ("deploy", terminal.model, "-t", "serverless")
    for field, sentence in (
        ("serverless_memory_mb=1000", "1024, 2048, 3072"),
        ("tensorflow_version=2.12", "no image of TensorFlow 2.12"),
        ("capture_percent=10", "has no data capture"),
        ("updat=canary", "did you mean `update`"),
    ):
        code, out, err = terminal.run(*command, "--set", field)
        assert (code, out) == (2, "")
        assert sentence in err
    assert "nothing" in terminal.ok("status", terminal.model, "-t", "serverless")


def cut(terminal, clouds, arguments, line_start):
    """Start a command, hold the clouds when it comes to a step, and kill the command."""
    process = terminal.start(*arguments)
    for line in process.stderr:
        if line.startswith(line_start):
            break
    clouds.pause()
    try:
        process.kill()
    finally:
        clouds.go_on()
    process.communicate()
    return process.returncode


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("create the endpoint configuration", marks=pytest.mark.slow),
        "update the endpoint",
        pytest.param("delete the endpoint", marks=pytest.mark.slow),
    ],
)
def test_a_killed_promotion_continues_when_run_again(terminal, clouds, step):
    for number in ("1", "2"):
        deploy = ("deploy", terminal.model, "-t", "serverless", "--version", number)
        terminal.ok(*deploy, "--allow-breaking")
    promote = ("promote", terminal.model, "-t", "serverless", "--allow-breaking")
    assert cut(terminal, clouds, promote, step) == -signal.SIGKILL
    terminal.ok(*promote)
    assert "nothing to do" in terminal.ok(*promote)
    assert ask(terminal, "serverless") == [3.5, 5.5]


@pytest.mark.parametrize(
    "step", ["delete the endpoint", pytest.param("delete the model", marks=pytest.mark.slow)]
)
def test_a_killed_undeployment_continues_when_run_again(terminal, clouds, step):
    terminal.ok("deploy", terminal.model, "-t", "serverless", "--version", "1")
    undeploy = ("undeploy", terminal.model, "-t", "serverless", "--all")
    assert cut(terminal, clouds, undeploy, step) == -signal.SIGKILL
    terminal.ok(*undeploy)
    assert "nothing to do" in terminal.ok(*undeploy)
    assert "nothing deployed" in terminal.ok("status", terminal.model, "-t", "serverless")
    history = terminal.ok("history", terminal.model, "-t", "serverless", "-o", "json")
    assert {release["outcome"] for release in json.loads(history)} <= {"superseded", "finished"}


@pytest.mark.parametrize(
    ("target", "step"),
    [
        ("serverless", "make s3://"),
        pytest.param("many", "make s3://", marks=pytest.mark.slow),
        ("many", "have the endpoint"),
    ],
)
def test_a_killed_deployment_of_an_archive_continues_when_run_again(terminal, clouds, target, step):
    deploy = ("deploy", terminal.model, "-t", target, "--version", "1")
    assert cut(terminal, clouds, deploy, step) == -signal.SIGKILL
    terminal.ok(*deploy)
    assert "nothing to do" in terminal.ok(*deploy)
    assert ask(terminal, target) == [2.5, 4.5]


@pytest.mark.slow
def test_a_version_on_an_endpoint_of_many_models_is_promoted_and_taken_back(terminal):
    def run(command, *arguments):
        return terminal.ok(command, terminal.model, "-t", "many", *arguments)

    run("deploy", "--version", "1")
    run("deploy", "--allow-breaking")
    assert ask(terminal, "many", "--version", "2") == [3.5, 5.5]
    run("promote", "--allow-breaking")
    assert ask(terminal, "many") == [3.5, 5.5]
    run("rollback")
    assert ask(terminal, "many") == [2.5, 4.5]
    code, _, err = terminal.run("promote", terminal.model, "-t", "many", "--percent", "10")
    assert code == 2
    assert "requests to an endpoint of many models name one of them" in err


def test_a_file_of_instances_is_answered_by_a_transform_job(terminal):
    terminal.ok("deploy", terminal.model, "-t", "serverless", "--version", "1")
    file = terminal.folder / "instances.csv"
    file.write_text("1.0\n5.0\n")
    command = ("batch", terminal.model, "-t", "serverless", "--format", "csv", "-o", "json")
    done = json.loads(terminal.ok(*command, "--input", str(file)))
    assert (done["succeeded"], done["failed"]) == (2, 0)
    code, out, err = terminal.run(*command[:4], "--format", "tf-record", "--input", str(file))
    assert (code, out) == (2, "")
    assert "does not read tf-record" in err
