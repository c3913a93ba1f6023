"""What SageMaker's and S3's failures look like, over a real socket and boto3."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.aws.api import SageMaker
from cloudserve.adapters.aws.endpoint import canonical, config_name, new_variant, weighted
from cloudserve.adapters.aws.options import Options
from cloudserve.adapters.aws.sagemaker import SageMakerEndpoints, create
from cloudserve.adapters.aws.session import Access
from cloudserve.adapters.polling import Poller

from cloudserve.errors import ConflictError, ProjectError, RemoteError, UnreachableError
from cloudserve.project import Target
from cloudserve.release.nouns import Action, Deployed, Deployment, Location, Revision, State
from cloudserve.release.provider import Expect

ROLE = "arn:aws:iam::000000000000:role/serving"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
FIELDS = {"bucket": "s3://some-bucket", "role_arn": ROLE, "region": "eu-west-1"}
ONE, TWO, THREE = (Revision(n, f"{n}" * 64) for n in (1, 2, 3))
LOCATION = Location("s3://some-bucket", "cloudserve/x/", "half", 2)
ARN = "arn:aws:sagemaker:eu-west-1:000000000000:endpoint/half"
NOT_FOUND = f'Could not find endpoint "{ARN}".'
EMPTY = Deployment("half", "aws")
LOGS = "Logs_20140328"
NO_LOG = (
    "no log to show: read the log /aws/sagemaker/Endpoints/half: "
    "The specified log group is not there."
)


def ok(body):
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode()


def refused(code, message, status=400):
    body = json.dumps({"__type": code, "message": message}).encode()
    return status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "r-1"}, body


def variants(**weights):
    return [
        new_variant(revision.id, f"half-{revision.id}", "ml.m5.large", 1)
        | {"InitialVariantWeight": weight}
        for revision, weight in zip((ONE, TWO, THREE), weights.values(), strict=False)
    ]


def described(status="InService", config="half-old", reason=None, **weights):
    """Return DescribeEndpoint's answer."""
    found = {
        "EndpointName": "half",
        "EndpointArn": ARN,
        "EndpointConfigName": config,
        "EndpointStatus": status,
        "CreationTime": 1.0,
        "LastModifiedTime": 1.0,
        "ProductionVariants": [
            {"VariantName": revision.id, "CurrentWeight": weight}
            for revision, weight in zip((ONE, TWO, THREE), weights.values(), strict=False)
        ],
    }
    return ok(found | ({"FailureReason": reason} if reason else {}))


def config_of(specs, name="half-old"):
    arn = "arn:aws:sagemaker:eu-west-1:0:endpoint-config/x"
    body = {"EndpointConfigName": name, "EndpointConfigArn": arn, "CreationTime": 1.0}
    return ok(body | {"ProductionVariants": specs})


def provider_at(url, timeout=5.0):
    access = Access({**KEYS, "AWS_ENDPOINT_URL": url}, "eu-west-1")
    options = Options(bucket="s3://some-bucket", role_arn=ROLE, region="eu-west-1")
    poller = Poller(timeout, first=0.001, longest=0.01)
    return SageMakerEndpoints("aws", options, "image:1", SageMaker(access), None, poller)


@pytest.fixture
def sagemaker(scripted):
    """Give what makes a provider whose service answers by operation; of a list each in turn."""

    def make(answers, **options):
        def answer_to(asked):
            service, _, operation = asked.headers["X-Amz-Target"].partition(".")
            if service == LOGS and operation not in answers:
                return refused("ResourceNotFoundException", "The specified log group is not there.")
            found = answers[operation]
            if not isinstance(found, list):
                return found
            return found.pop(0) if len(found) > 1 else found[0]

        server = scripted(answer_to)
        return provider_at(server.url, **options), server

    return make


def bodies(server, operation):
    return [
        json.loads(asked.body)
        for asked in server.asked
        if asked.headers["X-Amz-Target"].endswith(f".{operation}")
    ]


def action(kind, **args):
    return Action(kind, kind, "do it", args)


def test_a_permission_that_is_missing_is_named(sagemaker):
    text = "User: arn:aws:iam::0:user/x is not authorized to perform: sagemaker:DescribeEndpoint"
    provider, _ = sagemaker({"DescribeEndpoint": refused("AccessDeniedException", text)})
    with pytest.raises(RemoteError) as error:
        provider.describe("half")
    assert error.value.message == f"read the endpoint half: {text}"
    assert error.value.hint == ("allow arn:aws:iam::0:user/x the action sagemaker:DescribeEndpoint")
    assert (error.value.status, error.value.request_id) == (400, "r-1")
    assert not error.value.retryable


def test_keys_that_aws_does_not_know_are_told(sagemaker):
    text = "The security token included in the request is invalid."
    provider, _ = sagemaker({"DescribeEndpoint": refused("UnrecognizedClientException", text)})
    with pytest.raises(RemoteError) as error:
        provider.describe("half")
    assert error.value.hint.startswith("AWS does not accept these keys")


def test_throttling_is_worth_a_retry(sagemaker):
    provider, server = sagemaker({"DescribeEndpoint": refused("ThrottlingException", "Rate")})
    with pytest.raises(RemoteError) as error:
        provider.describe("half")
    assert error.value.retryable
    assert len(server.asked) == 3


def test_nobody_at_the_endpoint_is_unreachable(nobody):
    provider = create(Target("aws", "sagemaker", FIELDS), {**KEYS, "AWS_ENDPOINT_URL": nobody})
    for call in (
        lambda: provider.describe("half"),
        lambda: provider.predict("half", b"{}"),
        lambda: provider.blobs.read("a"),
    ):
        with pytest.raises(UnreachableError) as error:
            call()
        assert nobody in error.value.where
        assert "emulator" in error.value.hint


def test_making_a_provider_asks_nobody(scripted):
    server = scripted(lambda asked: None)
    create(Target("aws", "sagemaker", FIELDS), {**KEYS, "AWS_ENDPOINT_URL": server.url})
    assert server.asked == []


@pytest.mark.parametrize("fields", [{}, {"profile": "nobody"}])
def test_credentials_that_are_not_there_say_how_to_log_in(monkeypatch, tmp_path, fields, nobody):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    for variable in (*KEYS, "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    provider = create(Target("aws", "sagemaker", FIELDS | fields), {"AWS_ENDPOINT_URL": nobody})
    for call in (lambda: provider.describe("half"), lambda: provider.blobs.read("a")):
        with pytest.raises(RemoteError, match="no usable AWS credentials") as error:
            call()
        assert "aws configure" in error.value.hint


@pytest.mark.parametrize(
    ("fields", "field", "hint"),
    [
        ({"role_arn": "my-role"}, "role_arn", None),
        ({"region": "mars-north-1"}, "region", "correct `region`, or name a container"),
        ({"bucket": "some-bucket"}, "bucket", "write s3://NAME"),
        ({"instance_count": 0}, "instance_count", None),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields, field, hint):
    with pytest.raises(ProjectError) as error:
        create(Target("aws", "sagemaker", FIELDS | fields, "file: targets.aws"), {})
    assert error.value.where == f"file: targets.aws.{field}"
    assert hint is None or error.value.hint.startswith(hint)


def test_an_endpoint_that_is_not_ours_is_a_conflict(sagemaker):
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described(a=1.0),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
            "ListTags": ok({"Tags": [{"Key": "team", "Value": "x"}]}),
        }
    )
    with pytest.raises(ConflictError, match="is not cloudserve's for half"):
        provider.describe("half")


def test_a_failed_endpoint_is_deleted_and_made_anew(sagemaker):
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described("Failed", reason="no ping", a=1.0),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    actions = provider.plan_deploy("half", TWO, LOCATION, EMPTY)
    assert [a.kind for a in actions] == [
        "delete-endpoint",
        "create-model",
        "create-endpoint-config",
        "create-endpoint",
    ]
    assert "which failed (no ping) and takes no update" in actions[0].sentence


def test_an_idle_variant_is_taken_off_and_the_plan_says_so(sagemaker):
    specs = variants(a=0.0, b=1.0)
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described(a=0.0, b=2.0),
            "DescribeEndpointConfig": config_of(specs),
        }
    )
    *_, config, update = provider.plan_deploy("half", THREE, LOCATION, EMPTY)
    kept = json.loads(config.args["variants"])
    assert {v["VariantName"]: v["InitialVariantWeight"] for v in kept} == {
        TWO.id: 1.0,
        THREE.id: 0.0,
    }
    assert f"takes the idle {ONE.id} off it" in update.sentence


def test_a_strangers_variant_keeps_its_place_and_its_settings(sagemaker):
    stranger = {
        "VariantName": "shadow",
        "ModelName": "x",
        "ServerlessConfig": {"MaxConcurrency": 2},
    }
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described(a=1.0),
            "DescribeEndpointConfig": config_of([*variants(a=1.0), stranger]),
        }
    )
    *_, config, _ = provider.plan_deploy("half", TWO, LOCATION, EMPTY)
    kept = {v["VariantName"]: v for v in json.loads(config.args["variants"])}
    assert kept["shadow"] == stranger | {"InitialVariantWeight": 0.0}


def test_a_sagemaker_model_with_another_image_is_replaced(sagemaker):
    source = {"S3Uri": LOCATION.root_url, "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": "image:0", "ModelDataSource": {"S3DataSource": source}}
    model = {
        "ModelName": f"half-{TWO.id}",
        "ModelArn": "arn:aws:sagemaker:eu-west-1:0:model/m",
        "ExecutionRoleArn": ROLE,
        "CreationTime": 1.0,
        "PrimaryContainer": container,
    }
    answers = {
        "DescribeEndpoint": refused("ValidationException", NOT_FOUND),
        "DescribeModel": ok(model),
    }
    provider, _ = sagemaker(answers)
    seen = Deployment("half", "aws", (Deployed(TWO, State.READY, LOCATION.root_url),))
    kinds = [a.kind for a in provider.plan_deploy("half", TWO, LOCATION, seen)]
    assert kinds[:2] == ["delete-model", "create-model"]

    answers["DescribeModel"] = ok(model | {"PrimaryContainer": container | {"Image": "image:1"}})
    kinds = [a.kind for a in provider.plan_deploy("half", TWO, LOCATION, seen)]
    assert kinds == ["create-endpoint-config", "create-endpoint"]


def test_another_change_under_way_is_a_conflict(sagemaker):
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described("Updating", a=1.0),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    with pytest.raises(ConflictError, match="is Updating: another change is under way"):
        provider.plan_deploy("half", TWO, LOCATION, EMPTY)


def test_our_own_change_under_way_is_waited_for(sagemaker, lines):
    updating = described("Updating", a=1.0)
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": [updating, updating, described(a=1.0)],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    (wait,) = provider.plan_deploy("half", ONE, LOCATION, EMPTY)
    provider.perform(wait, lines.append)
    assert lines == ["endpoint half: Updating", "endpoint half: InService"]


def test_an_endpoint_that_fails_raises_sagemakers_reason(sagemaker, lines):
    reason = "The primary container for production variant v1 did not pass the ping health check."
    provider, _ = sagemaker(
        {
            "CreateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described("Creating"), described("Failed", reason=reason)],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    create_it = action("create-endpoint", endpoint="half", config="half-old", model="half")
    with pytest.raises(RemoteError) as error:
        provider.perform(create_it, lines.append)
    assert error.value.message == f"endpoint half: {reason}"
    assert lines == ["endpoint half: Creating", "endpoint half: Failed", NO_LOG]
    assert error.value.hint == (
        "the container's log says why the model does not load; correct it; then deploy again: "
        "what failed is replaced"
    )


def test_a_failure_comes_with_the_last_lines_that_the_new_variant_logged(sagemaker, lines):
    streams = [
        {"logStreamName": f"{TWO.id}/i-0a", "lastEventTimestamp": 5},
        {"logStreamName": f"{TWO.id}/i-0b", "lastEventTimestamp": 9},
    ]
    events = [{"message": "Loading servable\n"}, {"message": "Op type not registered\n"}]
    provider, server = sagemaker(
        {
            "UpdateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described(), described("Updating"), described(reason="no ping")],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
            "DescribeLogStreams": ok({"logStreams": streams}),
            "GetLogEvents": ok({"events": events}),
        }
    )
    update = action("update-endpoint", endpoint="half", config="new", variant=TWO.id)
    with pytest.raises(RemoteError, match="no ping"):
        provider.perform(update, lines.append)
    assert lines[-3:] == [
        f"the last lines of the log /aws/sagemaker/Endpoints/half, {TWO.id}/i-0b:",
        "  Loading servable",
        "  Op type not registered",
    ]
    assert [b["logStreamNamePrefix"] for b in bodies(server, "DescribeLogStreams")] == [
        f"{TWO.id}/"
    ]


def test_a_log_that_is_forbidden_is_told_in_a_line_and_hides_nothing(sagemaker, lines):
    text = "User: arn:aws:iam::0:user/x is not authorized to perform: logs:DescribeLogStreams"
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described("Failed", reason="no ping"),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
            "DescribeLogStreams": refused("AccessDeniedException", text),
        }
    )
    with pytest.raises(RemoteError, match="endpoint half: no ping"):
        provider.perform(action("await-endpoint", endpoint="half"), lines.append)
    assert lines[-1] == (f"no log to show: read the log /aws/sagemaker/Endpoints/half: {text}")


def test_an_update_that_is_rolled_back_is_an_error(sagemaker, lines):
    provider, _ = sagemaker(
        {
            "UpdateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described(), described("RollingBack"), described()],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    with pytest.raises(RemoteError, match="SageMaker undid the change"):
        provider.perform(action("update-endpoint", endpoint="half", config="new"), lines.append)


def test_an_update_that_has_not_begun_yet_is_not_taken_for_done(sagemaker, lines):
    provider, server = sagemaker(
        {
            "UpdateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [
                described(),
                described(),
                described("Updating"),
                described(config="new"),
            ],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    provider.perform(action("update-endpoint", endpoint="half", config="new"), lines.append)
    assert lines[-2:] == ["endpoint half: Updating", "endpoint half: InService"]
    assert bodies(server, "UpdateEndpoint") == [
        {
            "EndpointName": "half",
            "EndpointConfigName": "new",
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [
                {"VariantPropertyType": "DesiredWeight"},
                {"VariantPropertyType": "DataCaptureConfig"},
            ],
        }
    ]


def move_to_two():
    weights = json.dumps({TWO.id: 100})
    return action("set-weights", endpoint="half", revision=TWO.id, weights=weights)


def test_weights_of_zero_reach_the_wire(sagemaker, lines):
    provider, server = sagemaker(
        {
            "UpdateEndpointWeightsAndCapacities": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described(a=1.0, b=0.0), described(a=0.0, b=1.0)],
            "DescribeEndpointConfig": config_of(variants(a=1.0, b=0.0)),
        }
    )
    provider.perform(move_to_two(), lines.append)
    assert bodies(server, "UpdateEndpointWeightsAndCapacities")[0][
        "DesiredWeightsAndCapacities"
    ] == [
        {"VariantName": ONE.id, "DesiredWeight": 0.0},
        {"VariantName": TWO.id, "DesiredWeight": 1.0},
    ]


def test_traffic_for_a_revision_that_left_the_endpoint_is_a_conflict(sagemaker, lines):
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described(a=1.0),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    with pytest.raises(ConflictError, match="is not on the endpoint half any more"):
        provider.perform(move_to_two(), lines.append)


def test_traffic_without_an_endpoint_says_to_deploy(sagemaker):
    provider, _ = sagemaker({"DescribeEndpoint": refused("ValidationException", NOT_FOUND)})
    with pytest.raises(ConflictError) as error:
        provider.plan_traffic("half", ONE.id, EMPTY)
    assert error.value.hint == "cloudserve deploy half --target aws"


def test_a_working_endpoint_is_never_deleted(sagemaker, lines):
    provider, server = sagemaker(
        {"DescribeEndpoint": described(), "DescribeEndpointConfig": config_of(variants(a=1.0))}
    )
    with pytest.raises(ConflictError, match="no longer Failed"):
        provider.perform(action("delete-endpoint", endpoint="half"), lines.append)
    assert bodies(server, "DeleteEndpoint") == []


def taken(noun):
    return refused("ValidationException", f'Cannot create already existing {noun} "arn:x".')


def test_a_model_of_our_name_with_another_digest_is_a_conflict(sagemaker, lines):
    source = {"S3Uri": "s3://b/x/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    found = {
        "ModelName": "m",
        "ModelArn": "arn:aws:sagemaker:eu-west-1:0:model/m",
        "ExecutionRoleArn": ROLE,
        "CreationTime": 1.0,
        "PrimaryContainer": {"Image": "i", "ModelDataSource": {"S3DataSource": source}},
    }
    args = {
        "model": "half", "name": "m", "number": 1, "digest": ONE.digest,
        "image": "i", "source": "s3://b/x/", "role_arn": ROLE,
    }  # fmt: skip
    answers = {
        "CreateModel": taken("model"),
        "DescribeModel": ok(found),
        "ListTags": ok({"Tags": [{"Key": "cloudserve-digest", "Value": TWO.digest}]}),
    }
    provider, _ = sagemaker(answers)
    with pytest.raises(ConflictError, match="model m is there and is not this release's"):
        provider.perform(action("create-model", **args), lines.append)
    with pytest.raises(ConflictError):
        provider.perform(action("delete-model", **args), lines.append)

    answers["ListTags"] = ok({"Tags": [{"Key": "cloudserve-digest", "Value": ONE.digest}]})
    provider.perform(action("create-model", **args), lines.append)
    assert lines == ["model m: there already"]


def test_a_configuration_of_our_name_with_other_variants_is_a_conflict(sagemaker, lines):
    specs = canonical(weighted(variants(a=1.0), {ONE.id: 1.0}))
    name = config_name("half", specs)
    answers = {
        "CreateEndpointConfig": taken("endpoint configuration"),
        "DescribeEndpointConfig": config_of(variants(a=0.5), name),
    }
    provider, _ = sagemaker(answers)
    make = action("create-endpoint-config", model="half", config=name, variants=specs)
    with pytest.raises(ConflictError, match="is there and is not this release's"):
        provider.perform(make, lines.append)
    added = [{**spec, "VolumeSizeInGB": 30} for spec in variants(a=1.0)]
    answers["DescribeEndpointConfig"] = config_of(added, name)
    provider.perform(make, lines.append)
    assert lines == [f"endpoint configuration {name}: there already"]


def test_an_endpoint_of_our_name_with_another_configuration_is_a_conflict(sagemaker, lines):
    provider, _ = sagemaker(
        {
            "CreateEndpoint": taken("endpoint"),
            "DescribeEndpoint": described(config="other"),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    create_it = action("create-endpoint", endpoint="half", config="ours", model="half")
    with pytest.raises(ConflictError, match="endpoint half is there"):
        provider.perform(create_it, lines.append)


def test_a_containers_refusal_is_raised_in_its_own_words(scripted):
    sentence = "Failed to process element: 0 of 'instances' list."
    original = json.dumps({"error": sentence})
    body = {
        "ErrorCode": "CLIENT_ERROR_FROM_MODEL",
        "LogStreamArn": "arn:aws:logs:x",
        "Message": f'Received client error (400) from primary with message "{original}".',
        "OriginalMessage": original,
        "OriginalStatusCode": 400,
    }
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError"}
    server = scripted(lambda asked: (424, headers, json.dumps(body).encode()))
    with pytest.raises(RemoteError) as error:
        provider_at(server.url).predict("half", b"{}")
    assert error.value.message == f"predict: {sentence}"
    assert (error.value.status, error.value.retryable) == (400, False)
    assert error.value.where.endswith("endpoint half")


def test_a_prediction_passes_bytes_through_to_the_variant(scripted):
    content = b'{"predictions": [1.50]}'
    server = scripted(lambda asked: (200, {"Content-Type": "application/json"}, content))
    body = b'{"instances":   [1e400]}'
    assert provider_at(server.url).predict("ha_lf", body, TWO.id) == content
    (asked,) = server.asked
    assert (asked.path, asked.body) == ("/endpoints/ha-lf/invocations", body)
    assert asked.headers["X-Amzn-SageMaker-Target-Variant"] == TWO.id
    assert asked.headers["Content-Type"] == "application/json"


def blobs_at(url):
    return create(Target("aws", "sagemaker", FIELDS), {**KEYS, "AWS_ENDPOINT_URL": url}).blobs


def s3_error(status, code, message):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return status, {"Content-Type": "application/xml"}, body


def test_a_bucket_that_is_forbidden_names_the_permission(scripted, tmp_path, lines):
    server = scripted(
        lambda asked: (
            (403, {}, b"")
            if asked.method == "HEAD"
            else s3_error(403, "AccessDenied", "Access Denied")
        )
    )
    blobs = blobs_at(server.url)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for call, permission in (
        (lambda: blobs.ensure(lines.append), "ListBucket"),
        (lambda: blobs.head("a"), "GetObject"),
        (lambda: blobs.read("a"), "GetObject"),
        (lambda: blobs.write("a", b"x", Expect.ABSENT), "PutObject"),
        (lambda: blobs.upload("a", file, {}), "PutObject"),
        (lambda: list(blobs.list("")), "ListBucket"),
        (lambda: blobs.delete("a"), "DeleteObject"),
    ):
        with pytest.raises(RemoteError) as error:
            call()
        assert error.value.status == 403
        assert f"s3:{permission} on arn:aws:s3:::some-bucket" in error.value.hint
        assert "s3://some-bucket" in error.value.message


def test_a_conditional_write_whose_answer_was_lost_is_not_a_conflict(scripted):
    puts = [None, s3_error(412, "PreconditionFailed", "At least one did not hold")]

    def answer_to(asked):
        if asked.method == "PUT":
            return puts.pop(0)
        return 200, {"ETag": '"tok"'}, b"mine"

    assert blobs_at(scripted(answer_to).url).write("a", b"mine", Expect.ABSENT) == '"tok"'


def test_a_conditional_write_that_lost_against_another_is_a_conflict(scripted):
    puts = [None, s3_error(412, "PreconditionFailed", "At least one did not hold")]

    def answer_to(asked):
        return puts.pop(0) if asked.method == "PUT" else (200, {"ETag": '"tok"'}, b"theirs")

    with pytest.raises(ConflictError):
        blobs_at(scripted(answer_to).url).write("a", b"mine", Expect.ABSENT)


def test_two_conditional_writes_at_once_are_a_conflict(scripted):
    text = "The conditional request cannot succeed due to a conflicting operation"
    server = scripted(lambda asked: s3_error(409, "ConditionalRequestConflict", text))
    with pytest.raises(ConflictError):
        blobs_at(server.url).write("a", b"mine", Expect.ABSENT)


def test_a_bucket_is_made_in_the_targets_region(scripted, lines):
    server = scripted(lambda asked: (404 if asked.method == "HEAD" else 200, {}, b""))
    blobs_at(server.url).ensure(lines.append)
    assert b"<LocationConstraint>eu-west-1</LocationConstraint>" in server.asked[-1].body
    assert lines == ["make the bucket s3://some-bucket in eu-west-1"]
