"""A container image of a user's: a small HTTP server, and the commands that run it or go wrong."""

from __future__ import annotations

import sys
from pathlib import Path

from cloudserve.images.rehearsal import Rehearsal

ECR = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
SERVER = """
import http.server, json, os, pathlib, signal, subprocess, sys, urllib.request

PORT = int(os.environ.get("AIP_HTTP_PORT") or os.environ["SAGEMAKER_BIND_TO_PORT"])
HEALTH = os.environ.get("AIP_HEALTH_ROUTE", "/ping")
MODE = sys.argv[1]

if MODE == "exits":
    print("no weights found", flush=True)
    sys.exit(3)
if MODE == "child":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

def model():
    uri = os.environ.get("AIP_STORAGE_URI")
    if uri is None:
        root = pathlib.Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    if not uri:
        return []
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    host = os.environ["STORAGE_EMULATOR_HOST"]
    url = f"{host}/storage/v1/b/{bucket}/o?prefix={prefix}"
    items = json.load(urllib.request.urlopen(url))["items"]
    return sorted(item["name"].removeprefix(prefix).lstrip("/") for item in items)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(500 if MODE == "unhealthy" or self.path != HEALTH else 200, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"die" in body:
            print("out of memory", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if b"refuse" in body:
            return self.answer(422, b"no such feature")
        if b"rows" in body:
            return self.answer(200, b'{"instances": [1.0, 2.0]}')
        if b"text" in body:
            return self.answer(200, b"no JSON")
        state = {"pid": os.getpid(), "argv": sys.argv[2:], "path": self.path, "files": model(),
                "body": body.decode(), "headers": dict(self.headers),
                "environment": dict(os.environ)}
        self.answer(200, json.dumps({"predictions": [state]}).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", "trace=7")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

if MODE == "deaf":
    PORT = 0
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""


def write_server(folder: Path) -> dict[str, Rehearsal]:
    """Write the server into a folder; return a command for an image of each of its modes."""
    (folder / "server.py").write_text(SERVER)
    modes = ("serves", "child", "exits", "unhealthy", "deaf")
    commands = {mode: (sys.executable, "server.py", mode) for mode in modes}
    commands |= {
        "missing": ("no-such-program",),
        "homeless": (sys.executable, "-c", "pass"),
        "expands": (sys.executable, "server.py", "serves", "$(SAGEMAKER_BIND_TO_PORT)", "$(NONE)"),
    }
    return {
        f"{ECR}/{mode}:1": Rehearsal(command, folder / "nowhere" if mode == "homeless" else folder)
        for mode, command in commands.items()
    }
