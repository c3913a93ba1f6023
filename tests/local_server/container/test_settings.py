from __future__ import annotations

import os

import pytest
from cloudserve.local_server.container.settings import Settings, read_settings

from cloudserve.errors import ModelError

CPUS = os.cpu_count() or 1


def test_an_empty_environment_gives_the_images_defaults():
    assert read_settings({}) == Settings()


def test_batching_has_the_images_own_defaults():
    batching = read_settings({"SAGEMAKER_TFS_ENABLE_BATCHING": "TRUE"}).batching
    assert (batching.max_batch_size, batching.batch_timeout_micros) == (8, 1000)
    assert (batching.num_batch_threads, batching.max_enqueued_batches) == (CPUS, CPUS)


def test_a_batch_transform_may_queue_without_bound():
    environment = {"SAGEMAKER_TFS_ENABLE_BATCHING": "true", "SAGEMAKER_BATCH": "true"}
    assert read_settings(environment).batching.max_enqueued_batches == 100_000_000


def test_nginx_waits_as_long_as_gunicorn():
    assert read_settings({"SAGEMAKER_GUNICORN_TIMEOUT_SECONDS": "90"}).answer_seconds == 90


def test_the_wait_for_a_model_is_shared_by_the_instances():
    assert read_settings({"SAGEMAKER_TFS_INSTANCE_COUNT": "5"}).wait_seconds == 11


@pytest.mark.parametrize(
    ("ports", "instances", "capacity"), [("1000-1020", "1", 9), ("1000-1020", "2", 4)]
)
def test_ports_bound_the_models_of_a_multi_model_container(ports, instances, capacity):
    environment = {
        "SAGEMAKER_MULTI_MODEL": "true",
        "SAGEMAKER_SAFE_PORT_RANGE": ports,
        "SAGEMAKER_TFS_INSTANCE_COUNT": instances,
    }
    assert read_settings(environment).capacity == capacity


def test_the_name_none_means_no_name():
    assert read_settings({"SAGEMAKER_TFS_DEFAULT_MODEL_NAME": "None"}).default_model is None
    assert read_settings({"SAGEMAKER_TFS_DEFAULT_MODEL_NAME": "m"}).default_model == "m"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SAGEMAKER_MULTI_MODEL", "yes", "SAGEMAKER_MULTI_MODEL must be 'true' or 'false'"),
        ("SAGEMAKER_TFS_ENABLE_BATCHING", "1", "must be 'true' or 'false'"),
        ("SAGEMAKER_GUNICORN_WORKERS", "two", "is not a whole number: 'two'"),
        ("SAGEMAKER_TFS_INSTANCE_COUNT", "0", "is less than 1: 0"),
    ],
)
def test_invalid_variables_of_the_image_are_refused(name, value, message):
    with pytest.raises(ModelError, match=message):
        read_settings({name: value})


@pytest.mark.parametrize("ports", ["", "1-", "9000", "20-10", "a-b"])
def test_an_invalid_port_range(ports):
    environment = {"SAGEMAKER_MULTI_MODEL": "true", "SAGEMAKER_SAFE_PORT_RANGE": ports}
    with pytest.raises(ModelError, match="is not LOW-HIGH"):
        read_settings(environment)


def test_variables_without_effect_are_logged(caplog):
    read_settings({"SAGEMAKER_TFS_INTER_OP_PARALLELISM": "2"})
    assert caplog.messages == ["SAGEMAKER_TFS_INTER_OP_PARALLELISM has no effect offline"]
