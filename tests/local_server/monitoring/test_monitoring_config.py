"""`monitoring_config_file`, with TensorFlow Serving's fields and errors."""

import pytest
from cloudserve.local_server.monitoring.monitoring_config import (
    MonitoringConfig,
    read_monitoring_config,
)
from cloudserve.local_server.status import Code, StatusError

DEFAULT = "/monitoring/prometheus/metrics"


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("", MonitoringConfig(is_enabled=False)),
        ("prometheus_config {}", MonitoringConfig(is_enabled=False)),
        ("prometheus_config { enable: true }", MonitoringConfig(is_enabled=True, path=DEFAULT)),
        (
            f'prometheus_config: {{ enable: true, path: "{DEFAULT}" }}  # as in the guide',
            MonitoringConfig(is_enabled=True, path=DEFAULT),
        ),
        (
            "prometheus_config { enable: true; path: '/metrics' }",
            MonitoringConfig(is_enabled=True, path="/metrics"),
        ),
    ],
)
def test_the_text_form_is_read(tmp_path, text, config):
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    assert read_monitoring_config(file) == config


@pytest.mark.parametrize("text", ["prometheus { enable: true }", "prometheus_config {", "\xff"])
def test_another_text_is_refused_as_tensorflow_serving_does(tmp_path, text):
    file = tmp_path / "monitoring.config"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(StatusError) as caught:
        read_monitoring_config(file)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == f"Invalid protobuf file: '{file}'"


@pytest.mark.parametrize("path", ["metrics", "/metrics?all", "/m\\303\\266"])
def test_a_path_that_no_request_can_have_is_refused(tmp_path, path):
    file = tmp_path / "monitoring.config"
    file.write_text(f'prometheus_config {{ enable: true path: "{path}" }}')
    with pytest.raises(StatusError, match="must be an absolute path without a query"):
        read_monitoring_config(file)


def test_a_file_that_does_not_exist_is_reported(tmp_path):
    with pytest.raises(StatusError) as caught:
        read_monitoring_config(tmp_path / "missing")
    assert caught.value.code is Code.NOT_FOUND
