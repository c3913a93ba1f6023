"""The series of the metrics page that do not grow for ever: names of clients, ended versions."""

from pathlib import Path

import pytest
from cloudserve.local_server.inference.observation import Observation
from cloudserve.local_server.inference.types import Method, ModelSpec
from cloudserve.local_server.models import Servable, State, Version, VersionState
from cloudserve.local_server.monitoring.serving_metrics import ServingMetrics
from cloudserve.local_server.status import Code

from .metric_lines import lines


@pytest.fixture
def metrics():
    return ServingMetrics()


def test_a_version_that_ended_is_reported_once_more_and_then_no_more(metrics):
    def version(number, state, code=Code.OK):
        return Version("m", VersionState(number, state, code), None, 0, Path(f"/m/{number}"))

    for number in (1, 2, 3, 4):
        spec = ModelSpec("m", number)
        observed = Observation(Method.PREDICT, spec, metrics.observe)
        observed.servable, observed.signature = Servable("m", number, object()), "serving_default"
        observed.finish()
        metrics.loads.loaded(Path(f"/m/{number}"), 0.5, succeeded=number != 2)
        metrics.loads.warmed(Path(f"/m/{number}"), "OK", 1, 0.5)
    metrics.watch(
        lambda: [
            version(1, State.END),
            version(2, State.END, Code.UNKNOWN),  # a later one is served
            version(3, State.AVAILABLE),
            version(4, State.END, Code.UNKNOWN),
        ]
    )
    for page, numbers in (1, [1, 2, 3, 4]), (2, [3, 4]), (3, [3, 4]):
        printed = lines(metrics)
        for number in (1, 2, 3, 4):
            series = [
                line
                for line in printed
                if f'version="{number}"' in line or f'"/m/{number}"' in line
            ]
            is_told = any(not line.startswith("cloudserve_model_state") for line in series)
            assert is_told is (number in numbers), (page, number, series)


def test_names_that_clients_make_up_are_one_series(metrics):
    metrics.configure(["m"])
    for name in ("m", "x", "y", ""):
        metrics.answered(name, "REST", "predict", Code.OK, 0.001)
    counts = ":tensorflow:serving:request_count"
    assert lines(metrics, counts) == [
        f'{counts}{{model_name="m",status="OK"}} 1',
        f'{counts}{{model_name="other",status="OK"}} 2',
        f'{counts}{{model_name="",status="OK"}} 1',
    ]


def test_a_model_that_is_no_longer_configured_is_reported_once_more(metrics):
    metrics.configure(["m", "gone"])
    for name in ("m", "gone"):
        metrics.answered(name, "REST", "predict", Code.OK, 0.001)
        metrics.logged(name, Code.OK)
    metrics.configure(["m"])
    assert any('"gone"' in line for line in lines(metrics))
    assert not any('"gone"' in line for line in lines(metrics))
    assert any('"m"' in line for line in lines(metrics))
