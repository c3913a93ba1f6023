"""A model that the target's server cannot answer with is refused before anything is sent."""

import pytest

from cloudserve.errors import ModelError
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


@pytest.mark.parametrize("verb", ["deploy", "plan_deploy"])
def test_the_platform_is_asked_about_variables_that_are_not_restored(
    verb, releases, platform, tmp_path, monkeypatch
):
    reading = {"name": "y", "op": "ReadVariableOp", "input": ["v"]}
    write_model(tmp_path / "1", nodes=[{"name": "v", "op": "VarHandleOp"}, reading], s="y:0")

    def check(artifact):
        assert artifact.unrestored == ("v",)
        check_prebuilt(artifact, "the image", "2.15")

    monkeypatch.setattr(platform, "check", check)
    with pytest.raises(ModelError, match="Could not find variable v"):
        getattr(releases(path=tmp_path), verb)()
    assert platform.blobs.objects == {}
