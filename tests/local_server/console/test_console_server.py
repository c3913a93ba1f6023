"""The console of a running model server, over HTTP: pages, snapshots, events, refusals."""

import json
from dataclasses import replace
from http.client import HTTPConnection
from time import perf_counter

import pytest
from cloudserve.local_server.console.events import MOST_PAGES
from cloudserve.local_server.options.flag_options import flag_options
from cloudserve.local_server.options.flags import parse_flags
from cloudserve.local_server.options.serve_options import serve_options

from cloudserve.golden.file import read_golden
from cloudserve.golden.recording import Recording
from cloudserve.local.servers import ServeCommand
from tests.local_server.monitoring.test_monitored_server import ask, serving

API = "/_cloudserve/console/api"
TIMED = {"X-Cloudserve-Timing": "1"}
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
NAME = "tfs_half_plus_two_2v"


@pytest.fixture(scope="module")
def half(shared_models):
    return shared_models / NAME


def get(server, path, headers=None, method="GET"):
    """Return status, headers and body."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    read = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return read


def predict(server, instances, headers):
    """Return status and Server-Timing of a prediction."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    body = json.dumps({"instances": instances})
    connection.request("POST", f"/v1/models/{NAME}:predict", body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.getheader("Server-Timing")


def open_events(server, headers=None):
    """Return a connection and the response of a stream of events."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"{API}/events", headers=headers or {})
    return connection, connection.getresponse()


def read_parts(answer, wanted):
    """Read events until each wanted part has come; return the parts by name."""
    parts = {}
    while not wanted <= parts.keys():
        line = answer.readline().decode()
        if line.startswith("event: "):
            parts[line[7:].strip()] = json.loads(answer.readline()[6:])
    return parts


@pytest.fixture(scope="module")
def seen(half):
    """Give what a browser and others get of one server, by name."""

    def work(server):
        answers = {
            "page": get(server, "/", BROWSER),
            "program": get(server, "/"),
            "signed": get(server, "/", {**BROWSER, "Authorization": "AWS4-HMAC-SHA256 x"}),
            "query": get(server, "/?list-type=2", BROWSER),
            "posted": get(server, "/console", BROWSER, "POST"),
            "docs": get(server, "/docs", BROWSER),
            "script": get(server, "/_cloudserve/console/static/main.js"),
            "above": get(server, "/_cloudserve/console/static/../app.py"),
            "version": get(server, f"{API}/models/{NAME}/124"),
            "unknown": get(server, f"{API}/models/{NAME}/7"),
            "changed": get(server, f"{API}/models/{NAME}/124", method="DELETE"),
            "rebound": get(server, f"{API}/models/{NAME}/124", {"Host": "evil.example"}),
            "foreign": get(server, f"{API}/models/{NAME}/124", {"Origin": "https://evil.example"}),
            "by address": get(server, f"{API}/models/{NAME}/124", {"Host": "192.0.2.7:8501"}),
            "head": get(server, f"{API}/events", method="HEAD"),
            "timed": predict(server, [1.0], TIMED),
            "timed in a thread": predict(server, [1.0] * 100_000, TIMED),
            "timed refusal": predict(server, ["no number"], TIMED),
            "untimed": predict(server, [1.0], {}),
        }
        connection, stream = open_events(server)
        answers["parts"] = read_parts(stream, {"server", "models", "traffic"})
        ask(server, f"/v1/models/{NAME}:predict", {"instances": [1.0, 2.0]})
        ask(server, f"/v1/models/{NAME}:predict", {"instances": ["no number"]})
        traffic = {"total": {"requests": 0}}
        while not traffic["total"]["requests"]:
            traffic = read_parts(stream, {"traffic"})["traffic"]
        answers["traffic"] = traffic
        connection.close()
        stream.close()
        return answers

    return serving(serve_options(half, ServeCommand()), work)


def test_a_browser_gets_the_page_and_others_what_they_got_before(seen):
    status, headers, body = seen["page"]
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>cloudserve console</title>" in body
    for other in ("program", "signed", "query", "posted"):
        assert seen[other][0] == 404, other
    assert b"Not Found" in seen["program"][2]
    assert seen["docs"][0] == 200


def test_the_policy_allows_nothing_inline_and_no_html_from_text(seen):
    for name in ("page", "script", "docs"):
        policy = seen[name][1]["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy


def test_only_files_of_the_console_are_served(seen):
    assert seen["script"][1]["Content-Type"] == "text/javascript; charset=utf-8"
    assert seen["above"][0] == 404


def test_a_version_is_described_with_its_signatures_and_sample_requests(seen):
    card = json.loads(seen["version"][2])
    assert (card["model"], card["version"]) == (NAME, "124")
    first = card["signatures"][0]
    assert first["name"] == "serving_default"
    assert [(spec["alias"], spec["dtype"]) for spec in first["inputs"]] == [("x", "float32")]
    assert first["rows"]["instances"]
    assert seen["unknown"][0] == 404


def test_the_stream_begins_with_the_server_and_its_models(seen):
    parts = seen["parts"]
    assert parts["server"]["kind"] == "serve"
    (model,) = parts["models"]
    (version,) = model["versions"]
    assert (model["name"], version["version"], version["state"]) == (NAME, "124", "AVAILABLE")
    assert version["load_seconds"] > 0
    assert version["file_bytes"] > 1000
    assert seen["head"][0] == 200


def test_traffic_counts_requests_and_errors_of_the_interval(seen):
    total = seen["traffic"]["total"]
    assert total["requests"] >= 1
    assert total["millis"][0] > 0
    (version,) = seen["traffic"]["versions"]
    assert (version["model"], version["version"]) == (NAME, "124")


def test_other_sites_and_rebound_names_are_refused(seen):
    assert seen["rebound"][0] == 403
    assert "use its IP address" in seen["rebound"][2].decode()
    assert seen["foreign"][0] == 403
    assert seen["by address"][0] == 200


def test_the_times_of_a_request_are_sent_if_it_asks_for_them(seen):
    for name in ("timed", "timed in a thread"):
        status, header = seen[name]
        times = dict(part.split(";dur=") for part in header.split(", "))
        assert (status, list(times)) == (200, ["parse", "queue", "run", "check", "encode"]), name
        assert all(float(value) >= 0 for value in times.values())
        assert float(times["run"]) > 0
    assert seen["timed refusal"][0] == 400
    assert seen["untimed"] == (200, None)


def test_nothing_can_be_changed(seen):
    assert seen["changed"][0] == 405


@pytest.mark.slow
def test_more_pages_than_allowed_are_refused_and_a_stop_ends_them(half):
    def work(server):
        streams = [open_events(server) for _ in range(MOST_PAGES)]
        for _, stream in streams:
            read_parts(stream, {"server"})
        refused, _, body = get(server, f"{API}/events")
        return streams, refused, body

    began = perf_counter()
    streams, refused, body = serving(serve_options(half, ServeCommand(drain_seconds=60)), work)
    assert perf_counter() - began < 30  # less than the time that requests in flight may take
    assert refused == 503
    assert b"close one" in body
    for connection, stream in streams:
        stream.read()
        connection.close()


def test_a_recording_server_shows_what_it_wrote(half, tmp_path):
    recording = Recording(tmp_path / "golden.jsonl")

    def work(server):
        connection, stream = open_events(server)
        assert read_parts(stream, {"requests"})["requests"] == []
        ask(server, f"/v1/models/{NAME}:predict", {"instances": [1.0]})
        (one,) = read_parts(stream, {"requests"})["requests"]
        connection.close()
        stream.close()
        return one, *(ask(server, f"{API}/requests/{which}") for which in (one["id"], 99, "x"))

    one, saved, *unknown = serving(serve_options(half, ServeCommand(recording=recording)), work)
    assert (one["model"], one["version"], one["status"]) == (NAME, "124", 200)
    assert json.loads(one["request"])["instances"] == [1.0]
    assert json.loads(one["answer"])["predictions"] == [2.5]
    assert recording.path.read_text().count('"request"') == 1
    file = tmp_path / "one.golden.jsonl"
    file.write_text(json.loads(saved[1])["text"])
    assert read_golden(file).examples == read_golden(recording.path).examples
    assert read_golden(file).header.model == NAME
    assert [status for status, *_ in unknown] == [404, 404]


def test_no_request_is_kept_without_a_recording(seen):
    assert "requests" not in seen["parts"]
    assert not seen["parts"]["server"]["records"]


def test_with_tokens_the_page_is_open_and_its_data_is_not(half, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("secret-token\n")

    def work(server):
        bearer = {"Authorization": "Bearer secret-token"}
        path = f"{API}/models/{NAME}/124"
        return [get(server, "/", BROWSER), get(server, path), get(server, path, bearer)]

    answers = serving(serve_options(half, ServeCommand(auth_token_file=tokens)), work)
    assert [status for status, _, _ in answers] == [200, 401, 200]


def test_the_console_can_be_turned_off_and_is_off_in_the_drop_in_server(half):
    options = serve_options(half, ServeCommand(console=False))

    def work(server):
        return [get(server, "/", BROWSER)[0], get(server, f"{API}/events")[0]], server.console_url

    assert serving(options, work) == ([404, 404], "")
    base = ("--rest_api_port=1", f"--model_base_path={half}")
    assert not flag_options(parse_flags(base)).rest.console
    turned_on = flag_options(parse_flags((*base, "--enable_console"))).rest
    assert turned_on == replace(turned_on, console=True, openapi=True)
