"""Ctrl-C ends a release of the page as it ends a command: recorded, with the traffic as it is."""

from __future__ import annotations

import asyncio
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

from cloudserve.local_server.clouds.console import releasing

from cloudserve import api
from cloudserve.project import load_project
from tests.local_server.clouds.conftest import poll
from tests.local_server.clouds.console.test_releasing import PROJECT, post, wanted


class Standstill:
    """Operations that take no time until they take for ever."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.is_realistic = False
        self.begun = threading.Event()

    def seconds(self, _) -> float:
        return 0.0

    async def pass_by(self, _) -> None:
        if self.is_realistic:
            self.begun.set()
            await asyncio.Event().wait()


def test_the_page_and_the_ledger_say_where_the_release_stopped(
    models, new_emulator, new_clock, tmp_path, monkeypatch
):
    monkeypatch.setattr(releasing, "_END_SECONDS", 60.0)  # of a busy machine
    shutil.copytree(models / "double" / "1", tmp_path / "scale" / "1")
    shutil.copytree(models / "triple" / "2", tmp_path / "scale" / "2")
    file, data = tmp_path / "cloudserve.yaml", tmp_path / "data"
    file.write_text(PROJECT)
    project, latency = load_project(file), Standstill(new_clock())
    clouds = new_emulator(data, project=file, latency=latency)
    clouds.make_bucket("releasing")
    for version in (1, 2):
        api.deploy(project, "scale", "aws", version=version, environ=clouds.environment)
    plan = post(clouds, "plan", wanted(version="2"))[1]
    latency.is_realistic = True
    with ThreadPoolExecutor(1) as page:
        answer = page.submit(post, clouds, "apply", {"id": plan["id"]})
        latency.begun.wait()
        clouds.stop()
        status, done = answer.result()
    assert (status, done["is_done"], done["error"]) == (200, False, "The release was interrupted.")
    assert "The platform may continue the first that is not done" in done["lines"][-2]
    assert done["lines"][-1] == "Run the same command again to continue."

    again = new_emulator(data, project=file)
    try:
        last = api.history(project, "scale", "aws", environ=again.environment)[-1]
        assert (last.operation, last.error) == ("promote", "interrupted")
        endpoints = again.aws("sagemaker")
        poll(
            lambda: endpoints.describe_endpoint(EndpointName="scale"),
            lambda endpoint: endpoint["EndpointStatus"] == "InService",
        )
        promoted = api.promote(project, "scale", "aws", version="2", environ=again.environment)
        assert promoted.deployment.live.startswith("v2-")
    finally:
        again.stop()
