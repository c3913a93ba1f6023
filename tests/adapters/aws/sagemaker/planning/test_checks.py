"""What the check of a deployment refuses of a SageMaker target, and what it warns of."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from cloudserve.adapters.aws.sagemaker.context import AwsContext
from cloudserve.adapters.aws.sagemaker.fields.options import Update
from cloudserve.adapters.aws.sagemaker.planning.checks import check, check_body

from cloudserve.errors import ModelError, UserError
from cloudserve.release.destination import Destination
from cloudserve.release.types import Artifact
from tests.adapters.aws.sagemaker.fields.test_options import DLC, options

MODEL = Artifact("2.20.0", 10_000, 4)


class Platform:
    """What checks read of AWS: the bucket's region, the alarms that there are, no images."""

    images = SimpleNamespace(media_type=lambda image, region: "")

    def __init__(self, region="eu-west-1", alarms=(), account=""):
        self.region, self.states = region, dict.fromkeys(alarms, "OK")
        self.account = account

    def destination(self, region):
        return Destination("aws", account=self.account, region=region)

    def instance_types(self):
        return ("ml.m5.large", "ml.m5.xlarge", "ml.g5.xlarge")

    def bucket_region(self, name):
        assert name == "some-bucket"
        return self.region

    def alarms(self, names):
        return {name: state for name, state in self.states.items() if name in names}


def checked(artifact=MODEL, platform=None, image=f"{DLC}:2.20-cpu-py312", **fields):
    context = AwsContext(
        names=None,
        options=options(**fields),
        image=image,
        api=platform or Platform(),
        blobs=SimpleNamespace(url="s3://some-bucket"),
        poller=None,
        owned=None,
        where_of="targets.aws.{}".format,
    )
    return check(artifact, context)


@pytest.mark.parametrize(
    ("fields", "sentence", "hint"),
    [
        (
            {"instance_type": "ml.m5.larg"},
            "`ml.m5.larg` is not an instance type",
            "did you mean ml.m5.large",
        ),
        ({"platform": Platform("us-east-1")}, "the bucket is in us-east-1", "choose a bucket"),
        (
            {"platform": Platform(account="account 123456789012")},
            "the role is of account 000000000000, and the calls reach account 123456789012",
            "`profile`",
        ),
        (
            {"artifact": Artifact("2.20.0", 2**30, 4), "serverless_memory_mb": 1024},
            "the model has 1,073,741,824 bytes, and the endpoint 1,073,741,824 of memory",
            "6144",
        ),
        (
            {
                "update": Update.CANARY,
                "alarms": "errors, slow",
                "platform": Platform(alarms=["slow"]),
            },
            "there is no CloudWatch alarm errors in eu-west-1",
            "create it",
        ),
    ],
)
def test_fields_that_sagemaker_refuses_are_refused_by_the_check(fields, sentence, hint):
    with pytest.raises(UserError) as error:
        checked(**fields)
    assert sentence in error.value.message
    assert hint in error.value.hint


def test_valid_fields_have_no_warning():
    assert checked(update=Update.CANARY, alarms="slow", platform=Platform(alarms=["slow"])) == ()
    assert checked(platform=Platform(region=None)) == ()


def test_an_op_that_awss_image_does_not_have_is_refused():
    with pytest.raises(ModelError, match="has no op `DecodeJxl`"):
        checked(artifact=Artifact("2.21.0", 1, 1, ops=("DecodeJxl",)))
    with pytest.raises(ModelError, match="has no op `Addons>Resampler` of tensorflow-addons"):
        checked(artifact=Artifact("2.20.0", 1, 1, ops=("Addons>Resampler",)))
    own = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/cloudserve:1"
    (warning,) = checked(artifact=Artifact("2.20.0", 1, 1, ops=("MyOp",)), image=own)
    assert f"not TensorFlow's own: `MyOp`; {own} must have them" in warning


def test_an_op_without_a_kernel_is_refused_unless_the_machine_has_a_gpu_that_has_one():
    model = Artifact("2.20.0", 1, 1, ops=("CudnnRNN",), kernel_ops=("CudnnRNN",))
    with pytest.raises(ModelError, match="has no kernel for the op `CudnnRNN`"):
        checked(artifact=model)
    with pytest.raises(ModelError, match="has no kernel for the op `CudnnRNN`"):
        checked(artifact=model, instance_type="ml.g5.xlarge", image=f"{DLC}:2.20-cpu-py312")
    assert checked(artifact=model, instance_type="ml.g5.xlarge", image=f"{DLC}:2.20-gpu") == ()
    own = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/cloudserve:1"
    (warning,) = checked(artifact=model, image=own)
    assert "TensorFlow 2.21 has no kernel for the op `CudnnRNN`" in warning
    assert checked(artifact=model, instance_type="ml.g5.xlarge", image=own) == ()


def test_unrestored_variables_are_refused_for_awss_image_and_a_warning_for_another():
    broken = Artifact("2.20.0", 10_000, 4, unrestored=("a", "b", "c", "d"))
    with pytest.raises(ModelError, match="Could not find variable a"):
        checked(artifact=broken)
    own = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/cloudserve:1"
    (warning,) = checked(artifact=broken, image=own)
    assert "4 variables (a, b, c, …)" in warning
    mirror = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tensorflow/serving:2.19.0"
    with pytest.raises(ModelError, match="Could not find variable a"):
        checked(artifact=broken, image=mirror)
    assert f"{own} must run that" in warning


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"artifact": Artifact("2.20.0", 1, 1, ops=("CaseFoldUTF8",))}, "of tensorflow-text"),
        ({"instance_type": "ml.g5.xlarge"}, "does not use the GPU of ml.g5.xlarge"),
        ({"image": f"{DLC}:2.20-gpu-py312"}, "is for a GPU, and ml.m5.large has none"),
        (
            {
                "kms_key": "alias/models",
                "image": f"{DLC}:2.20-gpu",
                "instance_type": "ml.g5.xlarge",
            },
            "`kms_key` does not encrypt the disks of ml.g5.xlarge",
        ),
    ],
)
def test_a_later_failure_is_a_warning(fields, words):
    (warning,) = checked(**fields)
    assert words in warning


@pytest.mark.parametrize(
    ("fields", "limit"), [({}, 6_291_456), ({"serverless_memory_mb": 1024}, 4_194_304)]
)
def test_a_request_that_is_too_large_is_not_sent(fields, limit):
    check_body(b"x" * limit, options(**fields))
    with pytest.raises(UserError, match=f"{limit + 1:,} bytes") as error:
        check_body(b"x" * (limit + 1), options(**fields))
    assert "fewer instances" in error.value.hint
