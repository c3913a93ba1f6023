"""A model that the target's server cannot answer with is refused before anything is sent."""

import pytest

from cloudserve.errors import GateRefusedError, ModelError
from cloudserve.release.planning.fitness import check_prebuilt
from cloudserve.release.types import Artifact
from cloudserve.savedmodel import proto
from tests.cloudserve.messages import built


def write_model(folder, *, nodes=(), **signatures):
    """Write a SavedModel of these nodes; a signature is the tensor that it returns."""
    folder.mkdir(parents=True)
    definitions = {name: {"outputs": {"y": {"name": y}}} for name, y in signatures.items()}
    graph = {"meta_info_def": {"tags": ["serve"]}, "graph_def": {"node": nodes}}
    model = built(proto.SavedModel(), {"meta_graphs": [graph | {"signature_def": definitions}]})
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())


@pytest.mark.parametrize("verb", ["deploy", "plan_deploy"])
def test_a_model_without_a_signature_is_refused_before_anything_is_sent(
    verb, releases, platform, tmp_path
):
    write_model(tmp_path / "1")
    with pytest.raises(ModelError, match="the model has no signature") as error:
        getattr(releases(path=tmp_path), verb)()
    assert "signatures=" in error.value.hint
    assert platform.blobs.objects == {}


@pytest.fixture
def unrestored(platform, tmp_path, monkeypatch):
    """Give a model with a variable that TensorFlow Serving does not restore."""
    reading = {"name": "y", "op": "ReadVariableOp", "input": ["v"]}
    write_model(tmp_path / "1", nodes=[{"name": "v", "op": "VarHandleOp"}, reading], s="y:0")

    def check(artifact):
        assert artifact.unrestored == ("v",)
        check_prebuilt(artifact, "the image", "2.15")

    monkeypatch.setattr(platform, "check", check)
    return tmp_path


def test_a_model_that_the_server_cannot_answer_with_makes_no_bucket(releases, platform, unrestored):
    platform.blobs.is_made = False
    with pytest.raises(
        GateRefusedError, match=r"^gate load: .*`Could not find variable v`$"
    ) as caught:
        releases(path=unrestored).deploy()
    assert "export it again" in caught.value.hint
    assert "--override load" in caught.value.hint
    assert not platform.blobs.is_made
    assert platform.blobs.objects == {}


def test_a_plan_shows_what_the_server_would_refuse(releases, unrestored):
    plan = releases(path=unrestored).plan_deploy()
    assert [step.gate for step in plan.gates] == ["load"]
    (verdict,) = plan.verdicts
    assert verdict.is_refused
    assert verdict.figures["unrestored"] == ["v"]


GONE = "BoostedTreesBucketize"


@pytest.mark.parametrize(
    ("op", "version", "gpu", "hint"),
    [
        (GONE, "2.15", False, "TensorFlow 1.15 to 2.8 has one"),
        (GONE, "2.15", True, "TensorFlow 1.15 to 2.8 has one"),
        ("CudnnRNN", "2.15", False, "name a machine with a GPU"),
        ("PyFunc", "2.20", False, "no TensorFlow has one for the CPU"),
    ],
)
def test_an_op_without_a_kernel_is_refused_with_what_to_do(op, version, gpu, hint):
    model = Artifact("2.1.0", 1, 1, ops=(op, "MatMul"), kernel_ops=(op, "MatMul"))
    with pytest.raises(ModelError, match=f"which has no kernel for the op `{op}`: ") as caught:
        check_prebuilt(model, "the image", version, gpu=gpu)
    assert hint in caught.value.hint


def test_an_op_passes_where_it_has_a_kernel_or_none_is_needed():
    gone = Artifact("2.1.0", 1, 1, ops=(GONE,), kernel_ops=(GONE,))
    assert check_prebuilt(gone, "the image", "2.8") == ()
    (warning,) = check_prebuilt(gone, "the image", "99.0")
    assert "is not checked" in warning
    on_gpu = Artifact("2.1.0", 1, 1, ops=("CudnnRNN",), kernel_ops=("CudnnRNN",))
    assert check_prebuilt(on_gpu, "the image", "2.15", gpu=True) == ()
    assert check_prebuilt(Artifact("2.1.0", 1, 1, ops=(GONE,)), "the image", "2.15") == ()
