"""`emulate --record`: the requests of real clients to the offline clouds become golden files."""

import stat

import pytest

from cloudserve.golden.file import Example, read_golden
from cloudserve.golden.recording import recording
from cloudserve.golden.redaction import Action
from tests.local_server.clouds.aws.conftest import Aws
from tests.local_server.clouds.vertex.conftest import Vertex

ANSWERED = Example({"instances": [1.0]}, {"predictions": [2.0]})


def without_version(example):
    return example.request, example.answer


@pytest.mark.slow  # the recorder's own tests have its rules
def test_each_model_of_both_clouds_has_its_file(start_emulator, models, tmp_path, poll_until):
    folder = tmp_path / "recorded"
    chosen = recording(f"{folder}/", redact=("round:y:1",), environ={})
    running = start_emulator(None, recording=chosen)
    running.upload("models", "", models)
    vertex = Vertex(running.url, "p", poll_until)
    endpoint = vertex.create_endpoint()
    deployed = vertex.deploy(endpoint, vertex.upload()["name"], {"0": 100})
    body = {"instances": [1.0]}
    assert vertex.endpoints.predict(endpoint=endpoint, body=body).execute()["predictions"] == [2.0]
    vertex.close()
    aws = Aws(running, poll_until)
    aws.add_model("m", "s3://models/double/")
    aws.add_config("c", aws.variant("main", "m"))
    aws.add_endpoint("e", "c")
    aws.invoke("e")
    running.stop()
    files = {golden.header.model: golden for golden in map(read_golden, folder.iterdir())}
    assert set(files) == {f"{endpoint}/deployedModels/{deployed}", "c/main/model"}
    for golden in files.values():
        assert [*map(without_version, golden.examples)] == [without_version(ANSWERED)]
        assert golden.examples[0].redacted == {"": f"{Action.ROUND}:1"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
