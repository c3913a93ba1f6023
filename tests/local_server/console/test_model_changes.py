"""Changes of models from the page: shown first, with the token only, and atomic."""

import json
import shutil
from dataclasses import replace
from http.client import HTTPConnection

import pytest
from cloudserve.local_server.config import parse_text_proto, read_config
from cloudserve.local_server.config.model_config import model_server_config
from cloudserve.local_server.options.flag_options import flag_options
from cloudserve.local_server.options.flags import parse_flags
from cloudserve.local_server.options.server_options import Address

from tests.local_server.console.test_console_server import API, NAME, get, open_events, read_parts
from tests.local_server.monitoring.test_monitored_server import ask, serving

CONFIG = """model_config_list {{ config {{
    name: "{name}" base_path: "{base}" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 123 versions: 124 }} }}
    version_labels {{ key: "stable" value: 123 }} }} }}"""


def options(base, file, *more):
    file.write_text(CONFIG.format(name=NAME, base=base))
    flags = parse_flags(
        (
            "--rest_api_port=1",
            f"--model_config_file={file}",
            "--enable_console",
            "--allow_version_labels_for_unavailable_models",
            *more,
        )
    )
    parsed = flag_options(flags)
    rest = replace(parsed.rest, address=Address("127.0.0.1", 0))
    return replace(parsed, rest=rest, grpc=None)


@pytest.fixture
def base(shared_models, tmp_path):
    shutil.copytree(shared_models / NAME, tmp_path / NAME)
    shutil.copytree(tmp_path / NAME / "124", tmp_path / NAME / "125")
    return tmp_path / NAME


def post(server, body, token=None, **headers):
    """Return status and document of a change."""
    if token is not None:
        headers["X-Cloudserve-Token"] = token
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", f"{API}/models", json.dumps(body), headers)
    answer = connection.getresponse()
    read = answer.status, json.loads(answer.read())
    connection.close()
    return read


class Page:
    """What the page does: it shows a change, and performs what it showed."""

    def __init__(self, server):
        self.server = server
        self.token = server.console_url.partition("#token=")[2]

    def show(self, action, version="", label=""):
        status, _, body = get(self.server, f"{API}/changes/{action}/{NAME}/{version}/{label}")
        assert status == 200
        return json.loads(body)

    def body(self, action, version="", label=""):
        shown = self.show(action, version, label)
        return {
            "action": action,
            "model": NAME,
            "version": version,
            "label": label,
            "id": shown["id"],
        }

    def perform(self, *change):
        return post(self.server, self.body(*change), self.token)

    def labelled(self, label):
        """Return the status of a prediction by a label."""
        body = {"instances": [1.0]}
        return ask(self.server, f"/v1/models/{NAME}/labels/{label}:predict", body)[0]

    def until(self, *wanted):
        """Ask until these versions are available and all others have ended."""
        while self.versions() != set(wanted):
            pass

    def versions(self):
        """Return the available versions; None while one is between two states."""
        states = json.loads(ask(self.server, f"/v1/models/{NAME}")[1])["model_version_status"]
        ended = {each["version"] for each in states if each["state"] == "END"}
        ready = {each["version"] for each in states if each["state"] == "AVAILABLE"}
        return ready if len(ready) + len(ended) == len(states) else None

    def row(self):
        """Return the model's row in the first events of a page."""
        connection, stream = open_events(self.server)
        (row,) = read_parts(stream, {"models"})["models"]
        connection.close()
        stream.close()
        return row


def test_versions_are_loaded_and_unloaded_and_labels_move(base, tmp_path):
    def work(server):
        page = Page(server)
        page.until("124", "123")
        row = page.row()
        assert (row["policy"], row["unserved"]) == ("chosen versions: 123, 124", ["125"])
        assert page.perform("load", "125")[0] == 200
        page.until("125", "124", "123")
        assert page.perform("label", "125", "canary")[0] == 200
        assert page.labelled("canary") == 200
        assert page.perform("label", "124", "stable")[0] == 200
        status, answer = page.perform("unload", "123")
        assert status == 200
        page.until("125", "124")
        told = read_config(parse_text_proto(answer["config"].encode(), model_server_config()))
        assert told == server._core.config  # what was shown is what is served
        assert page.perform("unlabel", "", "canary")[0] == 200
        assert page.labelled("canary") == 400
        assert page.perform("reset")[0] == 409  # its label names a version that is not served
        assert page.perform("label", "125", "stable")[0] == 200
        assert page.perform("load", "123")[0] == 200
        page.until("125", "124", "123")
        assert page.perform("reset")[0] == 200
        page.until("124", "123")

    serving(options(base, tmp_path / "models.config"), work)


def test_nothing_changes_without_the_token_or_unless_it_was_shown(base, tmp_path):
    def work(server):
        page = Page(server)
        page.until("124", "123")
        before = server._core.config
        body = page.body("unload", "124")
        foreign = {"Origin": "https://evil.example"}
        assert [
            post(server, body)[0],
            post(server, body, "guessed")[0],
            post(server, body, page.token, **foreign)[0],
            post(server, body, page.token, Host="evil.example")[0],
            post(server, {**body, "id": ""}, page.token)[0],
            post(server, {**body, "version": "123"}, page.token)[0],
            post(server, {**body, "version": 124}, page.token)[0],
            post(server, [], page.token)[0],
            post(server, {**body, "more": "x"}, page.token)[0],
        ] == [403, 403, 403, 403, 409, 409, 400, 400, 409]
        assert server._core.config is before
        assert page.perform("load", "125")[0] == 200
        # The configuration is not the one that was shown with this change.
        status, answer = post(server, body, page.token)
        assert (status, "has changed since" in answer["error"]) == (409, True)

    serving(options(base, tmp_path / "models.config"), work)


def test_a_change_that_the_server_would_refuse_is_shown_with_the_reason(base, tmp_path):
    def work(server):
        page = Page(server)
        page.until("124", "123")
        last = page.show("unload", "124")
        assert "its requests are not answered" not in " ".join(last["remarks"])
        return {
            change: page.show(*change)["refusal"]
            for change in [
                ("unload", "123"),
                ("unload", "7"),
                ("load", "124"),
                ("load", "7"),
                ("load", "x"),
                ("load", "9" * 30),
                ("label", "125", "stable"),
                ("label", "124", "%20"),
                ("unlabel", "", "none"),
                ("reset",),
                ("erase", "124"),
            ]
        }

    refusals = serving(options(base, tmp_path / "models.config"), work)
    words = [
        "has the label stable: remove or move it first",
        "is not served",
        "is chosen already",
        "There is no version 7",
        "not a version number",
        "not a version number",
        "not currently available",
        "1 to 256 characters",
        "has no label",
        "is so already",
        "not a change",
    ]
    assert [w for w, text in zip(words, refusals.values(), strict=True) if w not in text] == []


def test_a_server_that_follows_its_file_says_that_the_file_decides(base, tmp_path):
    file = tmp_path / "models.config"

    def work(server):
        page = Page(server)
        page.until("124", "123")
        return page.show("unload", "124"), page.perform("unload", "124")

    shown, performed = serving(
        options(base, file, "--model_config_file_poll_wait_seconds=60"), work
    )
    assert f"reads {file} again and again" in shown["refusal"]
    assert performed[0] == 409
