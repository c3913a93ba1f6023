"""Which AWS account the calls reach, as the clients themselves resolve it."""

import pytest
from cloudserve.adapters.aws.sagemaker.api.container_logs import Logs
from cloudserve.adapters.aws.session import Access, _principal, aws_destination, new_session

from cloudserve.errors import UserError
from cloudserve.release.destination import Destination

REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch, tmp_path):
    """Keep the machine's own AWS configuration out of it."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", *KEYS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_the_offline_clouds_are_known_by_their_url_and_sts_is_not_asked(clouds):
    result = aws_destination(Access(clouds, REGION), REGION)
    assert result == Destination("aws", clouds["AWS_ENDPOINT_URL"], region=REGION)
    assert str(result) == f"aws · offline {clouds['AWS_ENDPOINT_URL']}"


IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account>"
    b"<Arn>arn:aws:iam::000000000000:user/cloudserve</Arn></GetCallerIdentityResult>"
    b"</GetCallerIdentityResponse>"
)


def test_sts_reports_the_account_and_the_user(scripted):
    # An address that does not count as this machine's.
    url = scripted(lambda _: (200, {}, IDENTITY)).url.replace("127.0.0.1", "0.0.0.0")
    result = aws_destination(Access({**KEYS, "AWS_ENDPOINT_URL": url}, REGION), REGION)
    assert str(result) == f"aws · {url} · account 000000000000 · us-east-1 · user cloudserve"


def test_an_account_without_credentials_is_unknown_and_no_error():
    result = aws_destination(Access({}, REGION), REGION)
    assert str(result) == "aws · account unknown · us-east-1"


def test_a_profile_that_does_not_exist_is_left_to_the_first_call():
    assert str(aws_destination(Access({}, REGION, "nobody"), REGION)) == (
        "aws · account unknown · us-east-1"
    )


def test_sessions_read_the_descriptions_of_services_once(monkeypatch, tmp_path):
    first, second = (new_session(region_name=REGION)._session for _ in range(2))
    loader = first.get_component("data_loader")
    assert second.get_component("data_loader") is loader
    assert len(loader.search_paths) == len(set(loader.search_paths))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    other = new_session(region_name=REGION)._session.get_component("data_loader")
    assert str(tmp_path) in other.search_paths
    assert str(tmp_path) not in loader.search_paths


def test_one_service_offline_and_another_not_is_refused(clouds):
    environ = {**KEYS, "AWS_ENDPOINT_URL_SAGEMAKER": clouds["AWS_ENDPOINT_URL"]}
    with pytest.raises(UserError, match="the calls of sagemaker stay on this machine, and those"):
        aws_destination(Access(environ, REGION), REGION)


@pytest.mark.parametrize("service", ["cloudwatch", "logs", "application-autoscaling", "sts"])
def test_a_service_that_is_left_out_of_an_offline_environment_gets_no_call(clouds, service):
    named = ("S3", "SAGEMAKER", "SAGEMAKER_RUNTIME")
    environ = {**KEYS, **{f"AWS_ENDPOINT_URL_{n}": clouds["AWS_ENDPOINT_URL"] for n in named}}
    access = Access(environ, REGION)
    assert aws_destination(access, REGION).is_offline
    with pytest.raises(UserError, match=f"those of {service} do not"):
        access.client(service)


def test_a_log_on_the_other_side_is_not_read_and_hides_no_failure(clouds):
    access = Access({**KEYS, "AWS_ENDPOINT_URL_LOGS": clouds["AWS_ENDPOINT_URL"]}, REGION)
    access.client("sagemaker")
    (line,) = Logs(access).tail("mnist")
    assert line == (
        "no log to show: the calls of logs stay on this machine, and those of sagemaker do not"
    )


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER"])
def test_offline_no_profile_is_asked_for_credentials(clouds, tmp_path, variable):
    marker = tmp_path / "asked"
    (tmp_path / "config").write_text(
        f"[profile prod]\ncredential_process = sh -c 'touch {marker}; exit 1'\n"
    )
    access = Access({variable: clouds["AWS_ENDPOINT_URL"]}, REGION, "prod")
    assert "Endpoints" in access.client("sagemaker").list_endpoints()
    assert not marker.exists()


def test_an_endpoint_that_a_profile_sets_counts(clouds, tmp_path):
    (tmp_path / "config").write_text(
        f"[profile offline]\nregion = us-east-1\nendpoint_url = {clouds['AWS_ENDPOINT_URL']}\n"
        "aws_access_key_id = a\naws_secret_access_key = b\n"
    )
    assert aws_destination(Access({}, REGION, "offline"), REGION).is_offline


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:sts::1:assumed-role/Deployer/session", "role Deployer"),
        (
            "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0a1b/ada@example.org",
            "role AWSReservedSSO_Admin_0a1b/ada@example.org",
        ),
        ("arn:aws:iam::1:user/team/ada", "user ada"),
        ("arn:aws:iam::1:root", "root"),
        ("arn:aws-cn:sts::1:federated-user/ada", "federated-user ada"),
    ],
)
def test_a_principal_is_named_as_people_name_it(arn, principal):
    assert _principal(arn) == principal
