"""The offline clouds on another address than loopback."""

import pytest
import requests
from cloudserve.local_server.clouds.pointing import client_host
from cloudserve.local_server.transport.http.server import listen

from cloudserve.errors import UserError
from tests.local_server.clouds.conftest import RunningEmulator


@pytest.mark.parametrize(
    ("host", "names", "expected"),
    [
        ("127.0.0.1", ("clouds",), "127.0.0.1"),
        ("0.0.0.0", (), "127.0.0.1"),
        ("::", (), "127.0.0.1"),
        ("0.0.0.0", (".internal", "clouds"), "clouds"),
        ("::1", (), "[::1]"),
    ],
)
def test_urls_have_a_name_that_clients_can_call(host, names, expected):
    assert client_host(host, names) == expected


@pytest.mark.parametrize("host", ["", "[::1]", "300.0.0.1"])
def test_a_name_that_is_no_address_is_refused(host):
    with pytest.raises(UserError, match="cannot listen on"):
        listen(host, 0)


def test_a_server_on_a_network_checks_signatures_and_tokens_and_its_name():
    running = RunningEmulator(None, host="0.0.0.0", allow_hosts=("clouds",))
    try:
        assert running.environment["AWS_ENDPOINT_URL"] == f"http://clouds:{running.emulator.port}"
        url = f"http://127.0.0.1:{running.emulator.port}"
        path = "/v1/projects/p/locations/us-central1/endpoints"
        for host, status in (("clouds", 401), ("127.0.0.1", 401), ("elsewhere", 403)):
            assert requests.get(url + path, headers={"Host": host}).status_code == status
        headers = {"x-amz-target": "SageMaker.ListModels", "Host": "clouds"}
        answer = requests.post(url, data=b"{}", headers=headers)
        assert answer.json()["__type"] == "MissingAuthenticationTokenException"
    finally:
        running.stop()
