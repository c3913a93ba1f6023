"""What the services of all clouds share: resources on disk, buckets, and the models in memory."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cloudserve.golden.recording import Recording

from ...inference import Inference
from ...inference.observation import unobserved
from ...models import Manager
from ...monitoring.recording.recorder import Recorder
from ...runtime.session import load_model
from ...tasks import Ending
from ...warmup import warmed
from ..background_tasks import BackgroundTasks
from ..data_folder import DATABASE
from ..google.logging.store import EntryStore
from ..model_hosting import ModelHosting
from ..objects.store.store import ObjectStore
from ..resources import Resources
from .settings import Places, Settings

DRAIN_SECONDS = 5.0
"""How long the end of the clouds waits for what is in flight."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What is closed at the end, in reverse order, and the work that may not end in time."""

    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    ending: Ending = field(default_factory=Ending)


@dataclass(frozen=True, slots=True)
class Shared:
    """The components that more than one service uses."""

    resources: Resources
    s3: ObjectStore
    """Two clouds: s3://models and gs://models are different buckets."""
    gcs: ObjectStore
    entries: EntryStore
    """The entries of Cloud Logging."""
    executor: ThreadPoolExecutor
    """Runs the models."""
    manager: Manager
    hosting: ModelHosting
    recorder: Recorder | None
    inference: Inference
    work: BackgroundTasks


def open_shared(
    settings: Settings, places: Places, work: BackgroundTasks, closing: Closing
) -> Shared:
    """Open files and databases, and register what must be closed. Starts nothing."""
    data, stack = places.data, closing.stack
    resources = Resources(data / DATABASE)
    stack.callback(resources.close)
    s3 = stack.enter_context(ObjectStore(data / "s3"))
    gcs = stack.enter_context(ObjectStore(data / "gcs"))
    entries = EntryStore(data / "logging.db")
    stack.callback(entries.close)
    executor = ThreadPoolExecutor(os.cpu_count(), "predict")
    stack.callback(executor.shutdown, wait=False)
    manager = Manager(warmed(partial(load_model, options=settings.session)))
    stack.push_async_callback(closing.ending.end, manager.unload_all)
    hosting = _open_hosting(manager, data / "served", settings, stack)
    recorder = _open_recorder(settings.command.recording, stack)
    observer = recorder.observe if recorder else unobserved
    return Shared(
        resources=resources,
        s3=s3,
        gcs=gcs,
        entries=entries,
        executor=executor,
        manager=manager,
        hosting=hosting,
        recorder=recorder,
        inference=Inference(manager, executor, observer=observer),
        work=work,
    )


def _open_hosting(
    manager: Manager, folder: Path, settings: Settings, stack: AsyncExitStack
) -> ModelHosting:
    hosting = ModelHosting(manager, folder, settings.session)
    hosting.prepare()
    stack.push_async_callback(hosting.close)
    return hosting


def _open_recorder(recording: Recording | None, stack: AsyncExitStack) -> Recorder | None:
    """Open the files of a recording, which are written to the end before the models go."""
    if recording is None:
        return None
    recorder = Recorder(recording)
    stack.push_async_callback(asyncio.to_thread, recorder.close, DRAIN_SECONDS)
    return recorder
