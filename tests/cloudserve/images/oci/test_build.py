"""`cloudserve image build`: an image of a base, packages and a model, pushed and written."""

import json
import os
from dataclasses import replace

import pytest

from cloudserve.cli.errors import run
from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.images.oci.build import Recipe, build, push, save
from cloudserve.images.oci.manifest import digest_of, docker_manifest, encode
from cloudserve.images.oci.references import parse_reference
from cloudserve.images.oci.registry import open_repository

from .conftest import LOGIN, PASSWORD

NUMBER = 1
DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model" / str(NUMBER)
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder.parent


@pytest.fixture
def built(faulty, make_base, wheels, home, tmp_path, model):
    """Build an image of a base in the test's registry."""
    server = faulty()
    base = make_base(server.registry, "library/python")
    folder = tmp_path / "build"
    folder.mkdir()
    return build(Recipe(base, "2.21", model, home), folder), server, base


def test_the_packages_the_server_and_the_model_are_layers_above_the_base(built, files_of):
    image, _, _ = built
    packages, own, model = (files_of(layer.path) for layer in image.layers)
    assert packages["opt/cloudserve/lib/colours/__init__.py"][:2] == (0o644, 0)
    assert packages["opt/cloudserve/bin/paint"][2].startswith(b"#!/usr/bin/env python3\n")
    assert packages["opt/cloudserve/share/colours.txt"][2] == b"green\n"
    assert b"from colours import main" in packages["opt/cloudserve/bin/colours"][2]
    assert own["opt/cloudserve/serve.sh"][0] == 0o755
    assert "opt/cloudserve/lib/cloudserve/local_server/server.py" in own
    assert own["home/serving"] == (0o755, 1000, None)
    assert model["model/1/saved_model.pb"] == (0o644, 0, b"graph")


def test_the_configuration_runs_the_server_as_a_user(built):
    image, _, _ = built
    config = json.loads(image.config)
    assert config["config"] == {
        "Entrypoint": ["sh", "/opt/cloudserve/serve.sh"],
        "Env": [
            "PATH=/opt/cloudserve/bin:/usr/bin",
            "PYTHON_VERSION=3.12.7",
            "PYTHONPATH=/opt/cloudserve/lib",
            "PYTHONUNBUFFERED=1",
            "HOME=/home/serving",
        ],
        "ExposedPorts": {"8080/tcp": {}},
        "Labels": json.loads(image.manifest)["annotations"],
        "User": "1000:1000",
        "WorkingDir": "/home/serving",
    }
    assert len(config["rootfs"]["diff_ids"]) == len(config["history"]) == 4
    manifest = json.loads(image.manifest)
    assert [item["size"] for item in manifest["layers"][1:]] == [
        layer.path.stat().st_size for layer in image.layers
    ]


def test_the_same_inputs_give_the_same_bytes(built, home, tmp_path, model):
    image, _, base = built
    for path in model.rglob("*"):
        os.utime(path, (0, 0))
    (tmp_path / "again").mkdir()
    again = build(Recipe(base, "2.21", model, home), tmp_path / "again")
    assert (again.manifest, again.config) == (image.manifest, image.config)
    for one, other in zip(image.layers, again.layers, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_a_layout_has_every_blob_of_the_manifest(built, tmp_path):
    image, _, _ = built
    folder = tmp_path / "layout"
    save(image, folder)
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (item,) = json.loads((folder / "index.json").read_text())["manifests"]
    blobs = {f"sha256:{p.name}": p.read_bytes() for p in (folder / "blobs/sha256").iterdir()}
    assert all(digest_of(data) == digest for digest, data in blobs.items())
    manifest = json.loads(blobs[item["digest"]])
    listed = {manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
    assert {*listed, item["digest"]} == blobs.keys()
    with pytest.raises(ConflictError, match="not empty"):
        save(image, folder)


def test_the_registry_gets_a_manifest_of_dockers_because_sagemaker_takes_no_other(built, home):
    image, server, base = built
    push(image, parse_reference(f"{server.registry}/team/cloudserve:1", ""), home, print)
    manifest, oci = json.loads(server.blobs["1"]), json.loads(image.manifest)
    assert manifest.keys() == {"schemaVersion", "mediaType", "config", "layers"}
    assert manifest["mediaType"] == DOCKER["manifest"]
    assert manifest["config"]["mediaType"] == DOCKER["config"]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {DOCKER["layer"]}
    for items in ([manifest["config"], *manifest["layers"]], [oci["config"], *oci["layers"]]):
        assert all(item["digest"] in server.blobs for item in items)
    labels = json.loads(image.config)["config"]["Labels"]
    assert labels == oci["annotations"]
    assert labels["org.opencontainers.image.base.name"] == f"{base.registry}/{base.repository}:1"


def test_a_base_layer_that_docker_has_no_type_for_is_refused_before_the_upload(built, home):
    image, server, _ = built
    manifest = json.loads(image.manifest)
    manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd"
    server.requests.clear()
    target = parse_reference(f"{server.registry}/team/cloudserve:1", "")
    with pytest.raises(UserError, match="zstd, which Docker's manifests do not have"):
        push(replace(image, manifest=encode(manifest)), target, home, print)
    assert not server.requests


def test_a_second_push_uploads_nothing(built, home):
    image, server, _ = built
    target = parse_reference(f"{server.registry}/team/cloudserve:1", "")
    lines = []
    name = push(image, target, home, lines.append)
    assert name == f"{server.registry}/team/cloudserve@{digest_of(server.blobs['1'])}"
    server.requests.clear()
    assert push(image, target, home, lines.append) == name
    # GET: the manifest that the tag has, PUT: the new one.
    assert {method for method, _, _ in server.requests} == {"GET", "HEAD", "PUT"}
    assert [path for method, path, _ in server.requests if method == "PUT"] == [
        "/v2/team/cloudserve/manifests/1"
    ]


def test_a_named_tag_moves_and_the_image_that_it_was_is_reported(built, home):
    image, server, _ = built
    server.blobs["1"] = b'{"an": "older image"}'
    lines = []
    push(image, parse_reference(f"{server.registry}/team/x:1", ""), home, lines.append)
    assert server.blobs["1"] == docker_manifest(image.manifest)
    older = digest_of(b'{"an": "older image"}')
    assert lines[-1] == f"the tag 1 was {server.registry}/team/x@{older}"


def test_an_existing_latest_is_replaced_only_if_it_is_named(built, home):
    image, server, _ = built
    server.blobs["latest"] = b'{"an": "older image"}'
    unnamed = parse_reference(f"{server.registry}/team/x", "")
    before = dict(server.blobs)
    with pytest.raises(ConflictError, match=r"the tag `latest` of .*/team/x is another"):
        push(image, unnamed, home, print)
    assert server.blobs == before
    push(image, parse_reference(f"{server.registry}/team/x:latest", ""), home, print)
    assert server.blobs["latest"] == docker_manifest(image.manifest)
    push(image, unnamed, home, print)  # the same image
    del server.blobs["latest"]
    push(image, unnamed, home, print)
    assert server.blobs["latest"] == docker_manifest(image.manifest)


def test_an_image_is_not_pushed_to_a_digest(built, home):
    image, server, _ = built
    named = parse_reference(f"{server.registry}/team/x:1@{image.digest}", "")
    server.requests.clear()
    with pytest.raises(UserError, match="pushed to a tag, not to a digest"):
        push(image, named, home, print)
    assert server.requests == []


def test_a_real_registry_takes_the_image_and_mounts_the_base(
    docker_registry, make_base, wheels, home, tmp_path, model
):
    base = make_base(docker_registry, "bases/python")
    target = parse_reference(f"{docker_registry}/team/cloudserve:1", "")
    auths = {"auths": {docker_registry: {"auth": "dGVzdGVyOm9wZW4gc2VzYW1l"}}}
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps(auths))
    folder = tmp_path / "build"
    folder.mkdir()
    image = build(Recipe(base, "2.21", model, home), folder)
    lines = []
    push(image, target, home, lines.append)
    assert f"mounted {image.base.layers[0].digest} of the base image" in lines
    repository = open_repository(target, home)
    manifest = docker_manifest(image.manifest)
    pulled, media_type = repository.manifest("1")
    assert pulled == repository.manifest(digest_of(manifest))[0] == manifest
    assert media_type == DOCKER["manifest"]
    for number, layer in enumerate(image.layers):
        repository.blob(layer.descriptor, tmp_path / str(number))
        assert (tmp_path / str(number)).read_bytes() == layer.path.read_bytes()


def test_a_real_registry_refuses_a_wrong_password(docker_registry, make_base):
    with pytest.raises(RemoteError) as error:
        make_base(docker_registry, "x", login=LOGIN | {"CLOUDSERVE_REGISTRY_PASSWORD": "secret"})
    assert error.value.status == 401
    assert error.value.message.startswith("the registry does not accept the credentials")
    assert "docker login" in error.value.hint


def test_the_command_prints_the_name_with_its_digest(
    faulty, make_base, wheels, monkeypatch, tmp_path, capsys
):
    server = faulty()
    base = make_base(server.registry, "python")
    monkeypatch.setenv("HOME", str(tmp_path))
    target = f"{server.registry}/team/cloudserve:2"
    assert run(["image", "build", "--push", target, "--base", str(base)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{server.registry}/team/cloudserve@{digest_of(server.blobs['2'])}\n"
    assert f"base {server.registry}/python:1@sha256:" in err
    assert PASSWORD not in err
    assert run(["image", "build"]) == 2


@pytest.mark.parametrize(
    ("variables", "tensorflow", "message"),
    [
        ((), "2.21", "the base image does not name its Python in PYTHON_VERSION"),
        (("PYTHON_VERSION=3.10.2",), "2.21", "no tested set of packages for Python 3.10"),
        (("PYTHON_VERSION=3.13.0",), "2.19", "TensorFlow 2.19 has no wheels for Python 3.13"),
    ],
)
def test_a_base_without_a_supported_python_is_refused(
    faulty, make_base, wheels, home, tmp_path, variables, tensorflow, message
):
    base = make_base(faulty().registry, "python", variables)
    with pytest.raises(UserError, match=message):
        build(Recipe(base, tensorflow, None, home), tmp_path)


def test_a_wheel_with_another_hash_is_refused(faulty, make_base, wheels, home, tmp_path):
    base = make_base(faulty().registry, "python")
    wheels.write_bytes(wheels.read_bytes() + b"\0")
    (tmp_path / "build").mkdir()
    with pytest.raises(RemoteError, match=r"pip cannot download the packages: .*HASHES"):
        build(Recipe(base, "2.21", None, home), tmp_path / "build")


def test_a_folder_without_a_model_is_refused(faulty, make_base, home, tmp_path):
    base = make_base(faulty().registry, "python")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="neither a SavedModel nor a base path"):
        build(Recipe(base, "2.21", tmp_path / "empty", home), tmp_path)


def test_a_model_that_the_image_cannot_load_is_refused(faulty, make_base, home, tmp_path):
    base = make_base(faulty().registry, "python")
    (tmp_path / "half" / "1").mkdir(parents=True)
    (tmp_path / "half" / "1" / "model.onnx").write_bytes(b"x")
    with pytest.raises(UserError) as caught:
        build(Recipe(base, "2.21", tmp_path / "half", home), tmp_path)
    message = "the image's server loads SavedModels: model.onnx is an ONNX model"
    assert caught.value.message == message
    assert caught.value.where == str(tmp_path / "half" / "1")
