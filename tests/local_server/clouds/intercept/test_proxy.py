"""The proxy on the wire: tunnels, plain requests, refusals, and clients that do not behave."""

import socket
import ssl

import pytest
from cloudserve.local_server.clouds.intercept import client as client_module

from tests.local_server.clouds.intercept.conftest import SECONDS, read_all

HOST = "storage.googleapis.com"
TOKEN = "Authorization: Bearer t"
GET = f"GET /b HTTP/1.1\nHost: {HOST}\nConnection: close\n\n"
SIGNED = "Authorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/sagemaker/aws4_request"


def get(host: str, path: str, header: str = TOKEN) -> str:
    return f"GET {path} HTTP/1.1\nHost: {host}\n{header}\nConnection: close\n\n"


class TestTunnels:
    def test_a_request_is_answered_under_the_real_host(self, proxy):
        assert proxy.ask(HOST, GET).endswith(f"GET /b {HOST} ")

    def test_requests_follow_each_other_on_one_tunnel(self, proxy):
        request = f"POST /a HTTP/1.1\nHost: {HOST}:443\nContent-Length: 2\n\nxy"
        answer = proxy.ask(HOST, request + GET)
        assert answer.index("POST /a") < answer.index("xy") < answer.index("GET /b")

    def test_a_client_that_speaks_both_is_answered_over_http_1(self, proxy):
        with proxy.open(HOST, ("h2", "http/1.1")) as client:
            assert client.selected_alpn_protocol() == "http/1.1"

    def test_a_grpc_client_gets_http_2(self, proxy):
        with proxy.open(HOST, ("h2",)) as client:
            assert client.selected_alpn_protocol() == "h2"
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            assert client.recv(9)[3] == 4  # SETTINGS

    def test_the_host_of_a_request_is_that_of_its_tunnel(self, proxy):
        answer = proxy.ask(HOST, GET.replace(HOST, "s3.amazonaws.com"))
        assert answer.startswith("HTTP/1.1 421")
        assert "This tunnel leads to storage.googleapis.com" in answer

    @pytest.mark.parametrize("path", ["/v2/", "/v2/models/blobs/uploads/"])
    def test_the_registry_refuses_images_in_the_form_of_registries(self, proxy, path):
        host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
        answer = proxy.ask(host, get(host, path, "Authorization: Basic QVdTOng="))
        assert answer.startswith("HTTP/1.1 405")
        assert '"code": "UNSUPPORTED", "message": "Images cannot be pushed' in answer

    def test_a_request_within_a_body_is_not_answered(self, proxy):
        smuggled = f"GET /smuggled HTTP/1.1\nHost: {HOST}\n\n"
        head = f"POST /a HTTP/1.1\nHost: {HOST}\n"
        both = f"Content-Length: {len(smuggled) + 5}\nTransfer-Encoding: chunked\n\n0\n\n"
        answer = proxy.ask(HOST, f"{head}{both}{smuggled}")
        assert answer.startswith("HTTP/1.1 200")
        assert "Connection: close" in answer
        assert answer.count("HTTP/1.1") == 1

    @pytest.mark.parametrize(
        ("lengths", "body", "read"),
        [
            ("Content-Length: 0\nTransfer-Encoding: identity", "", ""),
            ("Content-Length: 2\nTransfer-Encoding: Identity", "xy", "xy"),
            ("Content-Length: 2\nTransfer-Encoding: chunked", "3\nabc\n0\n\n", "abc"),
        ],
    )
    def test_a_request_may_name_its_length_twice_as_tensorflows_do(
        self, proxy, lengths, body, read
    ):
        answer = proxy.ask(HOST, f"POST /a HTTP/1.1\nHost: {HOST}\n{lengths}\n\n{body}")
        assert answer.endswith(f"POST /a {HOST} {read}")
        assert "Connection: close" in answer

    def test_an_absolute_target_does_not_leave_its_tunnel(self, proxy):
        answer = proxy.ask(HOST, GET.replace("/b", "https://s3.amazonaws.com/b"))
        assert answer.startswith("HTTP/1.1 421")

    def test_a_tunnel_within_a_tunnel_is_refused(self, proxy):
        answer = proxy.ask(HOST, "CONNECT pypi.org:443 HTTP/1.1\nHost: pypi.org\n\n")
        assert answer.startswith("HTTP/1.1 501")

    @pytest.mark.parametrize("authority", ["STORAGE.GOOGLEAPIS.COM:443", f"{HOST}.:443"])
    def test_other_spellings_of_a_host_lead_to_it(self, proxy, authority):
        assert proxy.ask(HOST, GET, authority=authority).endswith(f"GET /b {HOST} ")


class TestRefusals:
    def test_a_tunnel_to_another_host_is_refused_with_a_sentence(self, proxy):
        answer = proxy.send(b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
        head, _, body = answer.decode().partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 403 pypi.org is outside the rehearsal")
        assert "x-cloudserve-refused: pypi.org" in head
        assert body.startswith("pypi.org is outside the rehearsal")
        assert proxy.report.refused["pypi.org"] >= 1

    def test_a_plain_request_to_another_host_is_refused(self, proxy):
        request = b"GET http://example.com/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = proxy.send(request).decode()
        assert answer.startswith("HTTP/1.1 403")
        assert "x-cloudserve-refused: example.com" in answer

    @pytest.mark.parametrize(
        ("target", "host"),
        [
            ("http://169.254.169.254/computeMetadata/v1/", "metadata"),
            ("http://bucket.s3.eu-west-1.amazonaws.com/key", "bucket.s3"),
            ("http://storage.googleapis.com/bucket/key", HOST),
        ],
    )
    def test_services_that_answer_over_http_are_answered(self, proxy, target, host):
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert proxy.send(request.encode()).startswith(b"HTTP/1.1 200")

    def test_services_that_need_https_are_not_answered_without(self, proxy):
        target = "http://api.sagemaker.us-east-1.amazonaws.com/"
        request = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert b"answers over HTTPS only" in proxy.send(request.encode())

    def test_the_proxy_itself_is_no_host(self, proxy):
        request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        assert proxy.send(request).startswith(b"HTTP/1.1 403")

    def test_a_host_cannot_write_headers_of_the_refusal(self, proxy):
        answer = proxy.send(b"CONNECT a\nX-Evil:1\x00:443 HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400")
        answer = proxy.send(b"CONNECT \xe9\x07evil:443 HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403 \\xe9?evil is outside the rehearsal")

    @pytest.mark.parametrize(
        "request_bytes",
        [
            b"CONNECT\r\n\r\n",
            b"CONNECT  HTTP/1.1\r\n\r\n",
            b"CONNECT storage.googleapis.com:443 HTTP/2\r\n\r\n",
            b"CONNECT storage.googleapis.com:443 HTTP/1.1\r\n\r\n\x16\x03\x01",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"\r\n\r\n\r\nnonsense\r\n\r\n",
        ],
    )
    def test_malformed_requests_are_refused(self, proxy, request_bytes):
        assert proxy.send(request_bytes).startswith(b"HTTP/1.1 400")

    def test_an_endless_head_is_refused(self, proxy):
        assert proxy.send(b"CONNECT " + b"a" * 16_384).startswith(b"HTTP/1.1 431")


class TestServices:
    def test_a_service_that_no_emulator_has_is_refused_in_its_form(self, proxy):
        host = "bigquery.googleapis.com"
        assert '"status": "UNIMPLEMENTED"' in proxy.ask(host, GET.replace(HOST, host))
        host = "ec2.us-east-1.amazonaws.com"
        signed = "Authorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/ec2/aws4_request"
        request = f"GET / HTTP/1.1\nHost: {host}\n{signed}\nConnection: close\n\n"
        assert "UnsupportedOperationException" in proxy.ask(host, request)
        assert {"ec2", "bigquery.googleapis.com"} <= proxy.report.unavailable.keys()

    @pytest.mark.parametrize(
        ("service", "path", "is_answered"),
        [
            ("ml", "/v1/projects/p/models", True),
            ("storage", "/v1/projects/p/models", False),
            ("storage", "/storage/v1/b", True),
            ("storage", "/bucket/v1/projects/p/models", True),
            ("ml", "/storage/v1/b", False),
            ("monitoring", "/v3/projects/p", False),
            ("monitoring", "/v3/projects/p/timeSeries", True),
            ("cloudresourcemanager", "/v3/projects/p:testIamPermissions", True),
            ("logging", "/v2/entries:list", True),
            ("aiplatform", "/v1/projects/p/models", False),
            ("sts", "/v1/token", True),
            ("oauth2", "/v1/token", False),
            ("www", "/oauth2/v4/token", True),
            ("www", "/v1/token", False),
            ("storage", "/ui/projects/p/locations/us-central1/models", False),
            ("storage", "/computeMetadata/v1/project/project-id", False),
        ],
    )
    def test_a_service_of_google_is_not_answered_under_the_host_of_another(
        self, proxy, service, path, is_answered
    ):
        host = f"{service}.googleapis.com"
        answer = proxy.ask(host, get(host, path))
        assert answer.startswith("HTTP/1.1 200") is is_answered
        assert ("NOT_FOUND" in answer) is not is_answered

    def test_an_unsigned_request_is_refused_as_aws_does(self, proxy):
        host = "api.sagemaker.us-east-1.amazonaws.com"
        answer = proxy.ask(host, GET.replace(HOST, host))
        assert answer.startswith("HTTP/1.1 403")
        assert "MissingAuthenticationToken" in answer

    def test_a_location_that_the_host_does_not_serve_is_refused_as_vertex_ai_does(self, proxy):
        host = "europe-west4-aiplatform.googleapis.com"
        path = "/v1/projects/p/locations/us-central1/endpoints"
        answer = proxy.ask(host, get(host, path))
        assert "doesn't match the endpoint. The valid location ID is `europe-west4`" in answer
        assert "INVALID_ARGUMENT" in answer
        path = "/v1/projects/p/locations/europe-west4/endpoints"
        assert path in proxy.ask(host, get(host, path))

    @pytest.mark.parametrize(
        ("service", "path"),
        [
            ("aiplatform", "/v1/projects/p/locations/us-central1/models"),
            ("ml", "/v1/projects/p/models"),
            ("logging", "/v2/entries:list"),
            ("cloudresourcemanager", "/v3/projects/p:testIamPermissions"),
        ],
    )
    @pytest.mark.parametrize("header", ["Accept: */*", "Authorization: Basic dTpw", SIGNED])
    def test_a_request_without_a_token_is_refused_as_google_does(
        self, proxy, service, path, header
    ):
        host = f"{service}.googleapis.com"
        answer = proxy.ask(host, get(host, path, header))
        assert answer.startswith("HTTP/1.1 401")
        assert "CREDENTIALS_MISSING" in answer
        assert f'"service": "{host}"' in answer

    def test_a_service_without_hosts_for_locations_is_not_answered_under_one(self, proxy):
        host = "us-central1-logging.googleapis.com"
        assert f"{host} is not available" in proxy.ask(host, get(host, "/v2/entries:list"))

    def test_the_hosts_of_sagemaker_have_each_their_operations(self, proxy):
        invocation = "/endpoints/e/invocations"
        runtime, api = (f"{name}.sagemaker.us-east-1.amazonaws.com" for name in ("runtime", "api"))
        for host, path, is_answered in (
            (runtime, invocation, True),
            (runtime, "/", False),
            (api, "/", True),
            (api, invocation, False),
        ):
            answer = proxy.ask(host, get(host, path, SIGNED))
            assert answer.startswith("HTTP/1.1 200") is is_answered
            assert ("UnknownOperationException" in answer) is not is_answered


class TestClientsThatDoNotBehave:
    def test_a_client_that_sends_no_head_is_closed(self, hasty):
        assert hasty.send(b"CONNECT stor").startswith(b"HTTP/1.1 408")

    def test_a_tunnel_without_a_handshake_is_closed(self, hasty):
        with hasty.connect(f"{HOST}:443") as client:
            assert closed(client)

    def test_a_tunnel_that_stays_silent_is_closed(self, hasty):
        with hasty.open(HOST) as client:
            assert closed(client)

    def test_a_tunnel_that_is_closed_half_way_leaves_nothing(self, proxy):
        for _ in range(20):
            proxy.connect(f"{HOST}:443").close()
            with socket.create_connection(proxy.address) as client:
                client.sendall(b"CONNECT " + HOST.encode())
        assert proxy.ask(HOST, GET).endswith(f"GET /b {HOST} ")

    def test_a_client_that_trusts_other_authorities_is_counted(self, proxy):
        context = ssl.create_default_context()
        with proxy.connect(f"{HOST}:443") as client, pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(client, server_hostname=HOST)
        assert proxy.ask(HOST, GET)
        assert proxy.report.distrusted[HOST] >= 1

    @pytest.mark.parametrize(
        "host", ["a.b.s3.us-east-1.amazonaws.com", "a.b.storage.googleapis.com"]
    )
    def test_no_certificate_covers_a_bucket_with_dots(self, proxy, host):
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            proxy.open(host)
        assert proxy.ask(host.removeprefix("a."), get(host.removeprefix("a."), "/k"))
        assert host not in proxy.report.distrusted

    def test_a_flood_of_clients_is_refused(self, proxy, monkeypatch):
        monkeypatch.setattr(client_module, "MOST_CLIENTS", 3)
        with proxy.open(HOST), proxy.open(HOST), proxy.open(HOST):
            assert proxy.send(b"").startswith(b"HTTP/1.1 503")


def closed(client):
    client.settimeout(SECONDS)
    try:
        return read_all(client) == b""
    except ConnectionResetError:
        return True
