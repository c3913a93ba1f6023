"""A multi-model container: load, list, describe, invoke, unload, over its HTTP port."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from http.client import HTTPConnection

import pytest
from cloudserve.local_server.container.server import ContainerServer

from cloudserve.local.servers import ContainerCommand


class Port:
    """A container's HTTP port, on a loop in a thread of its own."""

    def __init__(self, tree, **options) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = ContainerServer(tree, ContainerCommand(**options))
        self._run(self._server.start())
        self._connection = HTTPConnection(self._server.address.removeprefix("http://"), timeout=60)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def send(self, method: str, path: str, body: object = None, **headers: str):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self._connection.request(method, path, b"" if body is None else content, named)
        answer = self._connection.getresponse()
        text = answer.read()
        is_json = text[:1] in {b"{", b"["}
        return answer.status, json.loads(text) if is_json else text

    def stop(self) -> None:
        self._connection.close()
        self._run(self._server.stop())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


@pytest.fixture
def serve():
    """Return a function that serves a tree; every server is stopped at the end."""
    started: list[Port] = []

    def run(tree, **options) -> Port:
        started.append(Port(tree, **options))
        return started[-1]

    yield run
    for port in started:
        port.stop()


@pytest.fixture
def many(serve, tmp_path):
    """Provide a multi-model container with room for two models."""
    environment = {"SAGEMAKER_MULTI_MODEL": "true", "SAGEMAKER_SAFE_PORT_RANGE": "1000-1005"}
    (tmp_path / "ml").mkdir()
    return serve(tmp_path / "ml", environment=environment)


@pytest.fixture
def url(shared_models):
    return str(shared_models / "sm_half_plus_three")


def load(port: Port, name: str, url: str):
    return port.send("POST", "/models", {"model_name": name, "url": url})


class TestManyModels:
    def test_a_model_is_loaded_asked_listed_and_unloaded(self, many, url):
        assert many.send("GET", "/ping") == (200, b"")
        assert many.send("GET", "/models") == (200, {})
        status, loaded = load(many, "a", url)
        assert status == 200
        assert loaded["success"].startswith("Successfully loaded model a, listening on rest port ")
        body = {"instances": [1.0]}
        answer = many.send("POST", "/models/a/invoke", body, Content_Type="application/json")
        assert answer == (200, {"predictions": [3.5]})
        versions = [
            {
                "version": version,
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
            for version in ("124", "123")
        ]
        shown = {"model_version_status": versions}
        assert many.send("GET", "/models/a") == (200, {"model": shown})
        assert many.send("GET", "/models") == (200, {"a": shown})
        unloaded = many.send("DELETE", "/models/a")
        assert unloaded == (200, {"success": "Successfully unloaded model a."})
        gone = (404, {"error": "Model a is not loaded yet."})
        assert many.send("GET", "/models/a") == gone
        assert many.send("POST", "/models/a/invoke", body) == gone
        assert many.send("DELETE", "/models/a") == (404, {"error": "Model a is not loaded yet"})

    def test_a_model_is_loaded_once(self, many, url):
        load(many, "a", url)
        assert load(many, "a", url) == (409, {"error": "Model a is already loaded."})

    def test_the_ports_limit_the_number_of_models(self, many, url):
        assert [load(many, name, url)[0] for name in "ab"] == [200, 200]
        text = "Memory exhausted: no available ports to load the model."
        assert load(many, "c", url) == (507, {"error": text})
        many.send("DELETE", "/models/a")
        assert load(many, "c", url)[0] == 200

    def test_a_folder_without_versions(self, many, tmp_path):
        text = f"Could not find valid base path {tmp_path}/no for servable a"
        assert load(many, "a", f"{tmp_path}/no") == (404, {"error": text})

    @pytest.mark.parametrize("url", ["/nowhere/at/all", "x" * 5000, "a\0b", "/dev/null", ""])
    def test_a_path_that_is_not_a_model_folder(self, many, url):
        status, answer = load(many, "m", url)
        assert status == 404
        assert answer["error"].startswith("Could not find valid base path")

    def test_a_model_that_does_not_load_leaves_nothing(self, many, tmp_path):
        (tmp_path / "bad" / "1").mkdir(parents=True)
        (tmp_path / "bad" / "1" / "saved_model.pb").write_bytes(b"no protobuf")
        status, text = load(many, "a", str(tmp_path / "bad"))
        assert status == 408
        assert text.startswith(b"Timed out after 55 seconds: ")
        assert many.send("GET", "/models") == (200, {})

    @pytest.mark.parametrize("name", ["../x", "", "a/b", "-a"])
    def test_a_name_that_would_reach_elsewhere(self, many, url, name):
        assert load(many, name, url) == (400, {"error": f"invalid model_name: {name!r}"})

    @pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"model_name": 1, "url": "/"}'])
    def test_an_invalid_load_request(self, many, body):
        assert many.send("POST", "/models", body)[0] == 400

    def test_an_invocation_has_to_name_its_model(self, many):
        text = "Invocation request does not contain model name."
        assert many.send("POST", "/invocations", b"[1]") == (400, {"error": text})

    def test_a_models_own_script_answers_for_it_alone(self, many, url, tmp_path):
        own = tmp_path / "own"
        shutil.copytree(url, own)
        (own / "code").mkdir()
        (own / "code" / "inference.py").write_text(
            "def handler(data, context):\n"
            "    assert context.channel is None\n"
            "    return context.model_name, 'text/plain'\n"
        )
        load(many, "own", str(own))
        load(many, "plain", url)
        assert many.send("POST", "/models/own/invoke", b"[1]") == (200, b"own")
        answer = many.send("POST", "/models/plain/invoke", {"instances": [1.0]})
        assert answer == (200, {"predictions": [3.5]})

    def test_a_script_that_cannot_be_imported_leaves_nothing(self, many, url, tmp_path):
        own = tmp_path / "own"
        shutil.copytree(url, own)
        (own / "code").mkdir()
        (own / "code" / "inference.py").write_text("import no_such_module_at_all")
        assert load(many, "own", str(own)) == (500, {"title": "500 Internal Server Error"})
        assert many.send("GET", "/models") == (200, {})

    def test_a_models_own_requirements_are_not_installed(self, serve, url, tmp_path, caplog):
        own = tmp_path / "own"
        shutil.copytree(url, own)
        (own / "code").mkdir()
        (own / "code" / "requirements.txt").write_text("no-such-package-anywhere==1")
        (tmp_path / "ml").mkdir()
        environment = {"SAGEMAKER_MULTI_MODEL": "true"}
        port = serve(tmp_path / "ml", environment=environment, install_requirements=True)
        assert load(port, "own", str(own))[0] == 200
        assert "its code/requirements.txt is not installed" in caplog.text

    def test_a_method_that_no_route_has(self, many):
        assert many.send("PUT", "/models/a")[0] == 405
        assert many.send("POST", "/ping")[0] == 405


class TestOneModel:
    @pytest.fixture
    def one(self, serve, half_plus_three):
        return serve(half_plus_three, image="2.20")

    def test_ping_and_invocations(self, one):
        assert one.send("GET", "/ping") == (200, b"")
        answer = one.send("POST", "/invocations", b"1.0\n2.0", Content_Type="text/csv")
        assert answer == (200, {"predictions": [3.5, 4.0]})

    @pytest.mark.parametrize("path", ["/", "/v1/models/half_plus_three", "/nope"])
    def test_other_paths_are_not_found(self, one, path):
        assert one.send("GET", path) == (404, {"error": "Not Found"})

    def test_models_is_for_containers_of_many(self, one, serve, with_code):
        assert one.send("GET", "/models")[0] == 502
        with_service = serve(with_code({"lib/x.py": ""}))
        assert with_service.send("GET", "/models")[0] == 404

    def test_the_image_chooses_the_release(self, serve, half_plus_three):
        old = serve(half_plus_three, image="2.19")
        kind = "application/json; charset=utf-8"
        assert old.send("POST", "/invocations", b"[1]", Content_Type=kind)[0] == 415


class TestWebPages:
    def test_a_page_of_another_site_loads_no_model(self, many, url):
        body = json.dumps({"model_name": "a", "url": url}).encode()
        page = {"Content_Type": "text/plain", "Origin": "https://evil.example"}
        status, answer = many.send("POST", "/models", body, **page)
        assert status == 403
        assert answer["error"].startswith("A web page of 'https://evil.example', another site,")
        status, answer = many.send("POST", "/models", body, Host="evil.example")
        assert status == 403
        assert answer["error"].startswith("The host 'evil.example' is not a name of this server")
        assert many.send("GET", "/models") == (200, {})

    def test_predictions_are_anybodys(self, many, url):
        load(many, "a", url)
        headers = {"Host": "lb.example", "Content_Type": "application/json"}
        assert many.send("GET", "/ping", **headers) == (200, b"")
