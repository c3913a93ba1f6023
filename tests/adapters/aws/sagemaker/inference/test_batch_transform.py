"""`cloudserve batch` on SageMaker: a transform job a file, of a model that is an archive."""

from __future__ import annotations

import json
import shutil

import pytest

from cloudserve.errors import RemoteError, UserError
from cloudserve.predict.batch import Batch, run_batch
from cloudserve.project import Model, Project
from cloudserve.storage.events import Reporter
from tests.adapters.aws.conftest import deploy


def test_files_of_instances_are_answered_by_a_job_each(
    target, bucket, tmp_path, half_plus_two, half_plus_three
):
    provider = target(archive=True)
    deploy(provider, 1, half_plus_two)
    two = deploy(provider, 2, half_plus_three)
    inputs = {"a.jsonl": "1.0\n2.0\n3.0\n", "b.jsonl": "5.0\n"}
    for name, text in inputs.items():
        provider.blobs.write(f"in/{name}", text.encode())
    urls = tuple(f"s3://{bucket}/in/{name}" for name in inputs)
    lines = []
    done = provider.batch(
        "half", two.id, Batch(urls, f"s3://{bucket}/out", "csv"), Reporter(lines.append)
    )
    assert (done.succeeded, done.failed, done.revision) == (4, 0, two.id)
    folder = done.output.removeprefix(f"s3://{bucket}/")
    answer, _ = provider.blobs.read(f"{folder}/a.jsonl.out")
    assert json.loads(answer) == {"predictions": [3.5, 4.0, 4.5]}
    assert sum(line.endswith(": Completed") for line in lines) == 2
    alone = provider.batch(
        "half", two.id, Batch(urls[:1], f"s3://{bucket}/out", "csv", 1), Reporter(lines.append)
    )
    answer, _ = provider.blobs.read(f"{alone.output.removeprefix(f's3://{bucket}/')}/a.jsonl.out")
    assert [json.loads(line)["predictions"] for line in answer.splitlines()] == [
        [3.5],
        [4.0],
        [4.5],
    ]


def test_a_job_that_fails_reports_what_the_container_said(target, bucket, half_plus_two):
    provider = target(archive=True)
    one = deploy(provider, 1, half_plus_two)
    provider.blobs.write("in/a.jsonl", b'{"y": 1}\n')
    request = Batch((f"s3://{bucket}/in/a.jsonl",), f"s3://{bucket}/out")
    with pytest.raises(
        RemoteError, match=r"the transform job failed: .*the container answered 400"
    ):
        provider.batch("half", one.id, request, Reporter(print))


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        (Batch((), "s3://b/out", "tf-record"), "does not read tf-record"),
        (Batch((), "s3://b/out", "jsonl", 8), "packs requests by their size"),
    ],
)
def test_a_batch_that_sagemaker_does_not_have_is_refused(target, batch, sentence):
    with pytest.raises(UserError, match=sentence):
        target().batch("half", "v1-0123456789ab", batch, Reporter(print))


@pytest.mark.parametrize(
    ("files", "fields", "sentence"),
    [
        (("a.jsonl", "gs://b/x"), {}, "`gs://b/x` is not a URL of the platform's storage"),
        (("a.jsonl", "b/a.jsonl"), {}, "two files are named `a.jsonl`"),
        (("a.jsonl",), {"instance_type": "ml.c5.large"}, "does not run on `ml.c5.large`"),
        (
            ("a.jsonl",),
            {"instance_type": "ml.g4dn.xlarge", "kms_key": "alias/models"},
            "takes no `kms_key` for ml.g4dn.xlarge",
        ),
        (("a.jsonl",), {"archive": False}, r"jobs read a `model\.tar\.gz`"),
        (("a.jsonl",), {"multi_model": "all"}, "an endpoint of many models has no batch transform"),
    ],
)
def test_a_job_that_sagemaker_does_not_have_is_refused_before_anything_is_uploaded(
    target, described, clouds, tmp_path, half_plus_two, files, fields, sentence
):
    fields = {"archive": True} | fields
    provider = target(**fields)
    revision = deploy(provider, 1, half_plus_two)
    (tmp_path / "b").mkdir()
    for name in ("a.jsonl", "b/a.jsonl"):
        (tmp_path / name).write_text("[1.0]\n")
    before = [blob.key for blob in provider.blobs.list("")]
    inputs = tuple(file if "://" in file else str(tmp_path / file) for file in files)
    targets = {"aws": described(**fields)}
    project = Project(tmp_path / "x.yaml", {"half": Model("half", tmp_path)}, targets)
    with pytest.raises(UserError, match=sentence):
        run_batch(project, "half", "aws", inputs, version=revision.id, environ=clouds)
    assert [blob.key for blob in provider.blobs.list("")] == before


def test_the_targets_key_encrypts_the_volumes_of_jobs(target, client, bucket, half_plus_two):
    provider = target(archive=True, kms_key="alias/models")
    one = deploy(provider, 1, half_plus_two)
    provider.blobs.write("in/a.jsonl", b"[1.0]\n")
    request = Batch((f"s3://{bucket}/in/a.jsonl",), f"s3://{bucket}/out")
    done = provider.batch("half", one.id, request, Reporter(print))
    job = client("sagemaker").describe_transform_job(TransformJobName=done.job)
    assert job["TransformResources"]["VolumeKmsKeyId"] == "alias/models"


def test_a_model_that_is_files_below_a_prefix_is_refused_with_what_to_do(target, half_plus_two):
    provider = target()
    one = deploy(provider, 1, half_plus_two)
    with pytest.raises(UserError, match=r"jobs read a `model\.tar\.gz`") as error:
        provider.batch(
            "half", one.id, Batch(("s3://bucket/in",), "s3://bucket/out"), Reporter(print)
        )
    assert "`archive: true`" in error.value.hint


def test_lines_that_the_container_does_not_join_are_refused_before_the_upload(
    target, described, clouds, tmp_path, half_plus_two
):
    provider = target(archive=True)
    one = deploy(provider, 1, half_plus_two)
    file = tmp_path / "in.jsonl"
    file.write_text("1.0\n2.0\n")
    models = {"half": Model("half", tmp_path)}
    project = Project(tmp_path / "x.yaml", models, {"aws": described(archive=True)})
    before = [blob.key for blob in provider.blobs.list("")]
    with pytest.raises(UserError, match="only if they are objects or lists") as error:
        run_batch(project, "half", "aws", (str(file),), environ=clouds)
    assert "--batch-size 1" in error.value.hint
    assert [blob.key for blob in provider.blobs.list("")] == before
    for form, size in (("jsonl", 1), ("csv", 0)):
        batch = Batch((provider.blobs.url + "/x",), provider.blobs.url, form, size, (file,))
        provider.check_batch("half", one.id, batch)


def test_a_models_own_script_may_read_any_lines(target, tmp_path, half_plus_two):
    model = tmp_path / "1"
    shutil.copytree(half_plus_two, model)
    (model / "code").mkdir()
    (model / "code" / "inference.py").write_text("def handler(data, context):\n    pass\n")
    provider = target(archive=True)
    one = deploy(provider, 1, model)
    file = tmp_path / "in.jsonl"
    file.write_text("1.0\n2.0\n")
    batch = Batch((provider.blobs.url + "/x",), provider.blobs.url, files=(file,))
    provider.check_batch("half", one.id, batch)


def test_a_url_that_other_objects_begin_with_is_refused_because_a_job_would_read_them(
    target, bucket, half_plus_two
):
    provider = target(archive=True)
    one = deploy(provider, 1, half_plus_two)
    for name in ("a.csv", "a.csv.bak", "b.csv"):
        provider.blobs.write(f"in/{name}", b"1.0\n")
    for url, other in (("in/a.csv", "in/a.csv.bak"), ("in/", "in/a.csv"), ("in", "in/a.csv")):
        batch = Batch((f"s3://{bucket}/{url}",), f"s3://{bucket}/out", "csv")
        with pytest.raises(UserError, match=f"would also read `s3://{bucket}/{other}`"):
            provider.batch("half", one.id, batch, Reporter(print))
    batch = Batch((f"s3://{bucket}/in/b.csv",), f"s3://{bucket}/out", "csv")
    assert provider.batch("half", one.id, batch, Reporter(print)).succeeded == 1


def test_a_key_may_have_the_marks_of_urls(target, bucket, half_plus_two):
    provider = target(archive=True)
    one = deploy(provider, 1, half_plus_two)
    for name in ("c#1.csv", "c?2.csv"):
        provider.blobs.write(f"in/{name}", b"1.0\n3.0\n")
        batch = Batch((f"s3://{bucket}/in/{name}",), f"s3://{bucket}/out", "csv")
        assert provider.batch("half", one.id, batch, Reporter(print)).succeeded == 2


def test_local_files_whose_names_begin_alike_are_answered_once_each(
    target, described, clouds, tmp_path, half_plus_two
):
    revision = deploy(target(archive=True), 1, half_plus_two)
    files = [tmp_path / "a.csv", tmp_path / "a.csv2"]
    for file in files:
        file.write_bytes(b"1.0\n")
    targets = {"aws": described(archive=True)}
    project = Project(tmp_path / "x.yaml", {"half": Model("half", tmp_path)}, targets)
    for inputs in (files, files[:1]):
        names = tuple(map(str, inputs))
        done = run_batch(
            project, "half", "aws", names, version=revision.id, form="csv", environ=clouds
        )
        assert done.succeeded == len(inputs)
