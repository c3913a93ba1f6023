"""A model that the target's server cannot answer with is refused before anything is sent."""

import pytest

from cloudserve.errors import GateRefusedError, ModelError
from cloudserve.release.planning.fitness import check_prebuilt
from cloudserve.savedmodel import proto


def write_model(folder, *, nodes=(), **signatures):
    """Write a SavedModel of these nodes; a signature is the tensor that it returns."""
    folder.mkdir(parents=True)
    definitions = {name: {"outputs": {"y": {"name": y}}} for name, y in signatures.items()}
    graph = {"meta_info_def": {"tags": ["serve"]}, "graph_def": {"node": nodes}}
    model = proto.SavedModel(meta_graphs=[graph | {"signature_def": definitions}])
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
