"""One emulator, to replay what people report that their cloud refused.

A file here is a table. Each row is a public report: what was done, what the cloud answers, where
that is written, and what the rehearsal answers. A row's step takes `Clouds`, does what the report
did through a real client, and fails as that client fails. README.md says which reports no
rehearsal can show.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.emulator import Emulator

from cloudserve.local.servers import EmulateCommand
from tests.fidelity.clients import Clouds

DEADLINE_SECONDS = 60.0
FOLDERS = {
    "half/1": "tfs_half_plus_two_2v/123",
    "half/2": "tfs_half_plus_two_2v/124",
    "matrix/1": "tfs_matrix_half_plus_two/1",
    "gone-op/1": "tfx_pusher/1584391735",
    "cut/1": "cassava_tfhub/1",
}
"""The contents of the buckets `models`, and which real SavedModel it is."""
WARMUP = "assets.extra/tf_serving_warmup_requests"


@pytest.fixture(scope="session")
def keras_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a Keras 3 model of `tf.saved_model.save`, which TensorFlow Serving does not restore."""
    import tensorflow as tf

    path = tmp_path_factory.mktemp("keras_saved") / "1"
    layers = [tf.keras.layers.Input((3,)), tf.keras.layers.Dense(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        tf.saved_model.save(tf.keras.Sequential(layers), str(path))
    return path


@pytest.fixture(scope="session")
def emulator(
    tmp_path_factory: pytest.TempPathFactory, shared_models: Path, keras_saved: Path
) -> Iterator[str]:
    """Give the URL of an emulator whose buckets `models` hold FOLDERS, on S3 as archives, too."""
    running = Emulator(EmulateCommand(tmp_path_factory.mktemp("clouds")))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(running.start(), loop).result(DEADLINE_SECONDS)
        _fill(running.url, shared_models, keras_saved)
        yield running.url
    finally:
        asyncio.run_coroutine_threadsafe(running.stop(), loop).result(DEADLINE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _fill(url: str, models: Path, keras_saved: Path) -> None:
    clouds = Clouds(url, "set-up")
    clouds.aws.s3.create_bucket(Bucket="models")
    bucket = clouds.gcs.create_bucket("models")
    folders = {name: models / folder for name, folder in FOLDERS.items()}
    contents = {name: _files(folder) for name, folder in folders.items()}
    contents["keras-saved/1"] = _files(keras_saved)
    contents["warm-up/1"] = {**contents["half/1"], WARMUP: b"not a file of TFRecords"}
    for name, content_of in contents.items():
        files = {f"{name}/{path}": content for path, content in content_of.items()}
        key = f"{name.partition('/')[0]}.tar.gz"
        clouds.aws.s3.put_object(Bucket="models", Key=key, Body=archive(files))
        for path, content in files.items():
            clouds.aws.s3.put_object(Bucket="models", Key=path, Body=content)
            bucket.blob(path).upload_from_string(content)
    flat = archive(_files(folders["half/1"]))
    clouds.aws.s3.put_object(Bucket="models", Key="flat.tar.gz", Body=flat)
    clouds.close()


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a tar.gz of files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as target:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def unpacked(clouds: Clouds, key: str) -> dict[str, bytes]:
    """Return the files of an archive of the bucket."""
    packed = clouds.aws.s3.get_object(Bucket="models", Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as source:
        result = ((entry.name, source.extractfile(entry)) for entry in source)
        return {name: content.read() for name, content in result if content}


@pytest.fixture
def clouds(emulator: str) -> Iterator[Clouds]:
    """Give the offline clouds to one row."""
    result = Clouds(emulator)
    yield result
    result.close()


@pytest.fixture(scope="session")
def served(emulator: str) -> Iterator[Clouds]:
    """Give the offline clouds with the good model deployed on SageMaker, for rows that ask it."""
    result = Clouds(emulator)
    result.aws.deploy()
    yield result
    result.close()
