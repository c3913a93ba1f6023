"""The pool of processes that run `inference.py`."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from ..types import Answer, error_answer
from .process import HandlerError, HandlerProcess, Script


class Handlers:
    """Processes that run one script; each handles one request at a time, further ones wait."""

    def __init__(self, script: Script, workers: int, seconds: float) -> None:
        self._seconds = seconds
        self._processes = tuple(HandlerProcess(script) for _ in range(workers))
        self._idle: queue.SimpleQueue[HandlerProcess] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(workers, "handler")

    async def start(self, seconds: float) -> None:
        """Start every process; raises ModelError with the reason if the script cannot run."""
        loop = asyncio.get_running_loop()
        starts = [
            loop.run_in_executor(self._threads, process.start, seconds)
            for process in self._processes
        ]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            await self.close()
            raise
        for process in self._processes:
            self._idle.put(process)

    async def answer(self, head: Mapping[str, Any], body: bytes) -> Answer:
        """Handle a request; an error in the user's code becomes an answer."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._answer, dict(head), body)

    def _answer(self, head: dict[str, Any], body: bytes) -> Answer:
        # There are as many threads as processes, so one is idle.
        process = self._idle.get()
        try:
            answer, content = process.call(head, body, self._seconds)
            return _read_answer(answer, content)
        except HandlerError as error:
            status = HTTPStatus.GATEWAY_TIMEOUT if error.is_late else HTTPStatus.BAD_GATEWAY
            return error_answer(status, error.message)
        finally:
            self._idle.put(process)

    async def close(self) -> None:
        """End the processes; requests in progress are answered with an error."""
        for process in self._processes:
            process.interrupt()
        await asyncio.to_thread(self._threads.shutdown)
        for process in self._processes:
            await asyncio.to_thread(process.kill)


def _read_answer(head: Mapping[str, Any], body: bytes) -> Answer:
    status = head.get("status")
    content_type = head.get("content_type")
    if not isinstance(status, int) or not isinstance(content_type, str | None):
        return error_answer(HTTPStatus.BAD_GATEWAY, "inference.py wrote into its own connection")
    if head.get("refused"):
        return upstream_error(status, body)
    if "error" in head:
        return error_answer(status, str(head["error"]))
    return Answer(status, body, content_type)


def upstream_error(status: int, body: bytes) -> Answer:
    """Return an error of TensorFlow Serving in the form of falcon's HTTPError."""
    try:
        title = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        title = str(status)
    error = {"title": title, "description": body.decode("utf-8", "replace")}
    return Answer(status, json.dumps(error, ensure_ascii=False).encode())
