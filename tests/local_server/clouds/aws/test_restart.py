"""State that the offline AWS keeps across restarts with `--data`."""

from __future__ import annotations

from cloudserve.local_server.clouds.resources import Resources

from tests.local_server.clouds.aws.conftest import DOUBLED, Aws, packed
from tests.local_server.clouds.aws.sagemaker.components.conftest import Host, add_host


def change(folder, kind: str, name: str, **changes: object) -> None:
    """Change a document while no emulator runs, as a killed process would leave it."""
    resources = Resources(folder / "clouds.db")
    document = resources.get(kind, name)
    assert document is not None
    resources.put(kind, name, document | changes)
    resources.close()


def test_endpoints_of_every_kind_serve_again(start_emulator, models, tmp_path, poll_until):
    aws = Aws(start_emulator(tmp_path), poll_until)
    aws.running.upload("models", "", models)
    aws.s3.put_object(Bucket="models", Key="many/a.tar.gz", Body=packed(models / "double"))
    script = b"def handler(data, context):\n    return data.read()[::-1], 'text/plain'\n"
    aws.running.upload("code", "m/", models / "double")
    aws.s3.put_object(Bucket="code", Key="m/code/inference.py", Body=script)
    aws.add_multi_model("many", "s3://models/many/")
    aws.add_model("scripted", "s3://code/m/")
    for name in ("many", "scripted"):
        aws.add_config(name, aws.variant("main", name))
        aws.add_endpoint(name)
    aws.add_model("double", "s3://models/double/")
    add_host(aws, "host").add("hosted", "double")
    aws.running.stop()

    again = Aws(start_emulator(tmp_path), poll_until)
    assert Host(again, "host").ask("hosted") == DOUBLED
    assert again.invoke("many", TargetModel="a.tar.gz") == DOUBLED
    assert again.invoke("scripted", b"abc") == b"cba"


def test_an_interrupted_update_starts_again(start_emulator, models, tmp_path, poll_until):
    aws = Aws(start_emulator(tmp_path), poll_until)
    aws.running.upload("models", "", models)
    aws.add_model("m", "s3://models/double/")
    aws.add_config("c", aws.variant("main", "m"))
    aws.add_endpoint("e", "c")
    aws.running.stop()
    resources = Resources(tmp_path / "clouds.db")
    serving = resources.get("aws/endpoint", "us-east-1/e")["_serving"]
    resources.close()
    pending = serving | {"id": "next", "config": "c-next"}
    left = {"EndpointStatus": "Updating", "_pending": pending, "_share": 0.5}
    change(tmp_path, "aws/endpoint", "us-east-1/e", **left)

    again = Aws(start_emulator(tmp_path), poll_until)
    settled = again.settled("e")
    assert (settled["EndpointStatus"], settled["EndpointConfigName"]) == ("InService", "c-next")
    assert again.invoke("e") == DOUBLED


def test_an_interrupted_transform_job_runs_again(start_emulator, models, tmp_path, poll_until):
    aws = Aws(start_emulator(tmp_path), poll_until)
    aws.running.upload("models", "", models)
    aws.s3.put_object(Bucket="models", Key="in/a", Body=b"1\n")
    aws.add_model("m", aws.add_archive("models", "m.tar.gz", models / "double"))
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/in/"}}

    def status(of: Aws, name: str) -> dict:
        return of.sm.describe_transform_job(TransformJobName=name)

    def ended(job: dict) -> bool:
        return job["TransformJobStatus"] not in {"InProgress", "Stopping"}

    for name in ("again", "stopping"):
        aws.sm.create_transform_job(
            TransformJobName=name,
            ModelName="m",
            TransformInput={"DataSource": source, "ContentType": "text/csv"},
            TransformOutput={"S3OutputPath": f"s3://models/{name}"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )
        poll_until(lambda name=name: status(aws, name), ended)
    aws.s3.delete_object(Bucket="models", Key="again/a.out")
    aws.running.stop()
    change(tmp_path, "aws/transform-job", "us-east-1/again", TransformJobStatus="InProgress")
    change(tmp_path, "aws/transform-job", "us-east-1/stopping", TransformJobStatus="Stopping")

    again = Aws(start_emulator(tmp_path), poll_until)
    job = poll_until(lambda: status(again, "again"), ended)
    assert job["TransformJobStatus"] == "Completed"
    assert again.s3.get_object(Bucket="models", Key="again/a.out")["Body"].read() == DOUBLED
    assert status(again, "stopping")["TransformJobStatus"] == "Stopped"


def test_one_script_for_every_model_comes_from_its_own_prefix(aws, fresh, models):
    aws.running.make_bucket(fresh)
    script = b"def handler(data, context):\n    return context.model_name[:3], 'text/plain'\n"
    aws.s3.put_object(Bucket=fresh, Key="universal/inference.py", Body=script)
    aws.s3.put_object(Bucket=fresh, Key="m/a.tar.gz", Body=packed(models / "double"))
    environment = {
        "SAGEMAKER_MULTI_MODEL_UNIVERSAL_BUCKET": fresh,
        "SAGEMAKER_MULTI_MODEL_UNIVERSAL_PREFIX": "universal/",
    }
    aws.add_multi_model(fresh, f"s3://{fresh}/m/", Environment=environment)
    aws.add_config(fresh, aws.variant("main", fresh))
    aws.add_endpoint(fresh)
    assert len(aws.invoke(fresh, TargetModel="a.tar.gz")) == 3
