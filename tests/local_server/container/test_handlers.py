"""The user's `inference.py`: its contract and its failures."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import threading
import zipfile
from pathlib import Path

import pytest
from cloudserve.local_server.container import Answer, Invocation, Release

from cloudserve.errors import ModelError

PAIR = """
def input_handler(data, context):
    return data.read()

def output_handler(response, context):
    return response.content, context.accept_header
"""


def handler(*lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"import os, sys, time, json\n\ndef handler(data, context):\n{body}\n"


@pytest.fixture
def answering(with_code, start):
    """Return a function that starts a container whose handler is these lines."""

    def run(*lines: str, **options):
        return start(with_code({"inference.py": handler(*lines)}), **options)

    return run


@pytest.fixture
def traceback_told(caplog):
    """Provide an event that is set when the log tells a traceback: a thread of its own reads it."""
    text = threading.Event()

    class Watcher(logging.Handler):
        def emit(self, record):
            if "Traceback" in record.getMessage():
                text.set()

    caplog.set_level("INFO")
    logging.getLogger().addHandler(watcher := Watcher())
    yield text
    logging.getLogger().removeHandler(watcher)


class TestTheContract:
    def test_a_pair_of_handlers_runs_before_and_after_serving(self, with_code, start):
        running = start(
            with_code(
                {
                    "inference.py": """
import json

def input_handler(data, context):
    assert context.request_content_type == "text/plain"
    return json.dumps({"instances": [float(n) for n in data.read().decode().split()]})

def output_handler(response, context):
    return ";".join(str(n) for n in response.json()["predictions"]), "text/plain"
"""
                }
            )
        )
        assert running.invoke(b"1 2", "text/plain") == Answer(200, b"3.5;4.0", "text/plain")

    def test_a_handler_alone_does_everything(self, answering):
        running = answering(
            "import requests",
            "answer = requests.post(context.rest_uri, data='{\"instances\": [1.0]}')",
            "return answer.content, 'application/json'",
        )
        answer = running.invoke(b"", None)
        assert json.loads(answer.body) == {"predictions": [3.5]}

    @pytest.mark.parametrize("release", Release)
    def test_the_context_is_the_images_own(self, answering, release):
        running = answering(
            "fields = context._asdict()",
            "fields['channel'] = type(context.channel).__name__",
            "return json.dumps(fields), 'application/json'",
            release=release,
        )
        answer = running.invoke(b"abc", None, attributes="tfs-model-version=123,x=y")
        context = json.loads(answer.body)
        port = context.pop("grpc_port")
        assert int(port) > 0
        uri = context.pop("rest_uri")
        path = "/v1/models/half_plus_three/versions/123:predict"
        assert re.fullmatch(rf"http://localhost:\d+{path}", uri)
        assert context == {
            "model_name": None,
            "model_version": "123",
            "method": None,
            "channel": "Channel",
            "custom_attributes": "tfs-model-version=123,x=y",
            "request_content_type": "application/json",
            "accept_header": "application/json",
            "content_length": 3,
        } | ({"timeout": 60} if release is Release.V2_20 else {})

    def test_the_channel_reaches_serving(self, answering):
        running = answering(
            "import grpc",
            "grpc.channel_ready_future(context.channel).result(timeout=20)",
            "return 'ready', 'text/plain'",
        )
        assert running.invoke(b"") == Answer(200, b"ready", "text/plain")

    @pytest.mark.parametrize("release", Release)
    def test_a_refusal_of_serving_is_answered_by_2_20_and_left_to_the_handler_by_2_19(
        self, with_code, start, release
    ):
        running = start(with_code({"inference.py": PAIR}), release=release)
        answer = running.invoke(b'{"instances": []}')
        text = json.loads(answer.body)
        if release is Release.V2_20:
            assert answer.status == 400
            assert text["title"] == "400 Bad Request"
            assert "No values in 'instances' array" in text["description"]
        else:
            assert answer.status == 200
            assert "No values in 'instances' array" in text["error"]

    @pytest.mark.parametrize("release", Release)
    def test_wrong_attributes_are_refused_by_the_service_in_2_20(self, with_code, start, release):
        running = start(with_code({"inference.py": PAIR}), release=release)
        answer = running.invoke(b"[1]", attributes="tfs-method=explain")
        own = {"error": "invalid tfs-method: must be one of predict|classify|regress"}
        assert (json.loads(answer.body) == own) == (release is Release.V2_20)

    def test_its_folders_are_importable_and_lib_takes_precedence_over_requirements(
        self, with_code, start, caplog
    ):
        tree = with_code(
            {
                "inference.py": "import beside, inside\n" + handler("return inside.W, beside.T"),
                "beside.py": "T = 'text/plain'",
                "lib/inside.py": "W = b'from lib'",
                "requirements.txt": "no-such-package-at-all",
            }
        )
        assert start(tree).invoke(b"") == Answer(200, b"from lib", "text/plain")
        assert "loading modules in 'code/lib', ignoring requirements.txt" in caplog.messages

    def test_requirements_are_logged_and_not_installed(self, with_code, start, caplog):
        tree = with_code({"inference.py": PAIR, "requirements.txt": "a==1  # why\n\n# none\nb>2\n"})
        start(tree)
        text = "code/requirements.txt asks for a==1, b>2: not installed without"
        assert any(message.startswith(text) for message in caplog.messages)

    def test_requirements_are_installed_beside_when_asked_for(self, with_code, start, tmp_path):
        write_wheel(tmp_path)
        script = "import brought_along\n" + handler("return brought_along.W, 'text/plain'")
        request = f"--no-index\n--find-links {tmp_path}\nbrought-along\n"
        tree = with_code({"inference.py": script, "requirements.txt": request})
        running = start(tree, install_requirements=True)
        assert running.invoke(b"").body == b"installed"
        with pytest.raises(ModuleNotFoundError):
            __import__("brought_along")

    def test_requirements_that_cannot_be_installed_end_the_start(self, with_code, start):
        tree = with_code(
            {"inference.py": PAIR, "requirements.txt": "--no-index\nno-such-package-at-all"}
        )
        with pytest.raises(ModelError, match="failed to install required packages: "):
            start(tree, install_requirements=True)

    @pytest.mark.parametrize("release", Release)
    def test_without_a_script_bodies_go_on_as_they_came(self, with_code, start, release):
        tree = with_code({"lib/helper.py": ""})
        running = start(tree, release=release)
        answer = running.invoke(b'{"instances": [1.0]}', accept="application/json")
        assert answer == Answer(200, b'{\n    "predictions": [3.5]\n}', "application/json")
        lines = running.invoke(b"[1.0]\n[2.0]", "application/jsonlines")
        image = running.invoke(b"x", "application/x-image")
        if release is Release.V2_20:
            assert (lines.status, image.status) == (400, 415)
        else:
            assert (lines.status, image.status) == (200, 200)
            assert b'"error"' in lines.body

    def test_ping_does_not_look_at_the_model(self, with_code, start):
        running = start(
            with_code({"inference.py": PAIR}),
            environment={"SAGEMAKER_TFS_DEFAULT_MODEL_NAME": "nobody"},
        )
        assert running.run(running.container.ping(Invocation())).status == 200

    def test_the_containers_variables_are_its_environment(self, answering):
        running = answering("return os.environ['MINE'], 'text/plain'", environment={"MINE": "seen"})
        assert running.invoke(b"").body == b"seen"


class TestFailures:
    def test_an_exception_is_the_answer(self, answering, traceback_told):
        running = answering("raise ValueError('no such thing')")
        assert running.invoke(b"") == Answer(500, b'{"error": "no such thing"}')
        assert traceback_told.wait(20)
        assert running.invoke(b"").status == 500

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("return None", "cannot unpack non-iterable NoneType object"),
            ("return b'x'", "not enough values to unpack (expected 2, got 1)"),
            ("return {'a': 1}, 'application/json'", "the body is a dict, not a string or bytes"),
            ("return b'', 7", "the content type is a int, not a string"),
        ],
    )
    def test_an_invalid_answer_is_reported(self, answering, line, message):
        assert answering(line).invoke(b"") == Answer(500, json.dumps({"error": message}).encode())

    def test_a_handler_that_exits_is_started_again(self, answering):
        running = answering(
            "if data.read() == b'exit':",
            "    print('going now', flush=True)",
            "    os._exit(3)",
            "return str(os.getpid()), 'text/plain'",
        )
        first = running.invoke(b"").body
        gone = running.invoke(b"exit")
        message = "inference.py ended without an answer; it last wrote: going now"
        assert gone == Answer(502, json.dumps({"error": message}).encode())
        second = running.invoke(b"")
        assert second.status == 200
        assert second.body != first

    def test_sys_exit_ends_its_process_alone(self, answering):
        running = answering("sys.exit(0)")
        assert running.invoke(b"").status == 502
        assert running.invoke(b"").status == 502

    def test_a_handler_that_hangs_is_killed_and_started_again(self, answering):
        running = answering(
            "if data.read() == b'hang':",
            "    while True: pass",
            "return str(os.getpid()), 'text/plain'",
            environment={
                "SAGEMAKER_GUNICORN_TIMEOUT_SECONDS": "1",
                "SAGEMAKER_NGINX_PROXY_READ_TIMEOUT_SECONDS": "1",
            },
        )
        before = int(running.invoke(b"").body)
        late = running.invoke(b"hang")
        assert late.status == 504
        assert b"did not answer within 1 seconds and was stopped" in late.body
        with pytest.raises(ProcessLookupError):
            os.kill(before, 0)
        assert running.invoke(b"").status == 200

    def test_its_output_goes_to_the_log(self, answering, caplog):
        caplog.set_level("INFO")
        running = answering("print('x' * 5000)", "return b'', 'text/plain'")
        assert running.invoke(b"").status == 200
        running.run(running.container.stop())
        assert any(message.startswith("inference.py: xxx") for message in caplog.messages)

    def test_garbage_in_the_connection_fails_that_request_alone(self, answering):
        running = answering(
            "if data.read() == b'break':",
            "    os.write(int(sys.argv[1]), b'garbage' * 10)",
            "return b'fine', 'text/plain'",
        )
        assert running.invoke(b"break").status in {502, 504}
        assert running.invoke(b"").body == b"fine"

    def test_processes_that_a_handler_started_end_with_the_container(self, answering, tmp_path):
        running = answering(
            "import fcntl, subprocess",
            f"lock = open({str(tmp_path / 'lock')!r}, 'w')",
            "fcntl.flock(lock, fcntl.LOCK_EX)",
            "sleep = 'import time; time.sleep(600)'",
            "subprocess.Popen([sys.executable, '-c', sleep], pass_fds=[lock.fileno()])",
            "return b'started', 'text/plain'",
        )
        assert running.invoke(b"").body == b"started"
        running.run(running.container.stop())
        with (tmp_path / "lock").open() as lock:
            # Had only when whoever inherited it has ended.
            fcntl.flock(lock, fcntl.LOCK_EX)

    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("raise SystemExit(1)", "SystemExit: 1"),
            ("def broken(:", "SyntaxError: "),
            ("x = 1", "NotImplementedError: Handlers are not implemented correctly"),
            ("import os; os._exit(1)", "ended its process"),
        ],
    )
    def test_a_script_that_cannot_be_imported_ends_the_start(
        self, with_code, start, script, message
    ):
        with pytest.raises(ModelError) as caught:
            start(with_code({"inference.py": script}))
        assert message in caught.value.message

    def test_a_script_that_hangs_while_it_is_imported_ends_the_start(self, with_code, start):
        tree = with_code({"inference.py": "import time\ntime.sleep(600)"})
        with pytest.raises(ModelError, match=r"was not imported within 0\.5 seconds"):
            start(tree, start_seconds=0.5)

    def test_workers_answer_side_by_side(self, answering):
        running = answering(
            "import requests",
            "return str(os.getpid()), 'text/plain'",
            environment={"SAGEMAKER_GUNICORN_WORKERS": "2"},
        )
        assert len({running.invoke(b"").body for _ in range(4)}) == 2


def write_wheel(folder: Path) -> None:
    """Write a wheel of one module, `brought_along`."""
    info = "brought_along-1.dist-info"
    with zipfile.ZipFile(folder / "brought_along-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("brought_along.py", "W = b'installed'")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: brought-along\nVersion: 1\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
