"""The pages of the documentation, typed in as they stand, with the files that they assume."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from .markdown import ROOT, Line, lines, missing
from .models import MODELS
from .offline import OFFLINE
from .page import REGIONS, Page, Room, project
from .releases import RELEASES
from .servers import SERVERS
from .terminal import Terminal, free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAGES: dict[str, Page] = {**MODELS, **RELEASES, **SERVERS, **OFFLINE}
ORACLES = ROOT / ".venv-oracles" / "bin"
"""Where `make oracle-aws` installs the AWS CLI."""
PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:{ORACLES}"


def path_of(page: Page) -> str:
    """Return the folders of programs, those of the page's own environment first."""
    return f"{ROOT / page.environment / 'bin'}:{PATH}" if page.environment else PATH


@pytest.fixture
def room(request, tmp_path, shared_models) -> Room:
    number = list(PAGES).index(request.param)
    bucket = f"{Path(request.param).stem}-models".lower()
    room = Room(tmp_path, shared_models, bucket, REGIONS[number % len(REGIONS)])
    room.write("cloudserve.yaml", project(room, request.param, PAGES[request.param], number))
    PAGES[request.param].prepare(room)
    return room


@pytest.fixture
def terminal(request, room, clouds) -> Iterator[Terminal]:
    page = PAGES[request.getfixturevalue("page")]
    ports = free_ports()
    environment = clouds.environment | {
        "PATH": path_of(page),
        "HOME": str(room.folder),
        "CLOUDSERVE_ACTOR": "ada",
        "AWS_DEFAULT_REGION": room.region,
        "AWS_REGION": room.region,
        **page.variables,
    }
    terminal = Terminal(room.folder, environment, ports)
    yield terminal
    assert "Traceback" not in terminal.close()


@dataclass
class Typist:
    """Types commands, and knows which settings of the page were of use."""

    settings: Page
    room: Room
    terminal: Terminal
    used: Counter[str] = field(default_factory=Counter)

    def own(self, text: str) -> str:
        """Return a text with this page's bucket and ports, and other texts for placeholders."""
        for shown, real in self.settings.instead.items():
            if shown in text:
                self.used[shown] += 1
                text = text.replace(shown, real)
        for port, free in self.terminal.ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        return text.replace("my-models", self.room.bucket)

    def prepare(self, command: str) -> None:
        """Run what the reader has run before the command."""
        for key, texts in self.settings.before.items():
            if not command.startswith(key):
                continue
            each = texts if isinstance(texts, tuple) else (texts,)
            text = next(iter(each[self.used[f"before {key}"] :]), "")
            self.used[f"before {key}"] += 1
            if text:
                code, printed = self.terminal.type(self.own(text))
                assert code == 0, f"$ {text}\n{printed}"

    def type(self, line: Line) -> None:
        """Type a command, and compare its end and its output with the page."""
        if self.applies("without", line.command):
            return
        self.prepare(line.command)
        code, printed = self.terminal.type(self.own(line.command))
        said = f"$ {line.command}\n{printed}"
        exits = self.settings.exits.get(key := self.applies("exits", line.command), (0,))
        assert code == exits[min(self.used[f"exits {key}"], len(exits)) - 1], said
        assert "Traceback" not in printed, said
        if not self.applies("unlike", line.command):
            shown = line.shown.replace("my-models", self.room.bucket)
            shown = shown.replace("us-east-1", self.room.region)
            assert missing(replace(line, shown=shown), printed) == [], said

    def applies(self, table: str, command: str) -> str:
        """Return the key of a table that the command begins with, or ""."""
        keys = (key for key in getattr(self.settings, table) if command.startswith(key))
        key = next(keys, "")
        self.used[f"{table} {key}"] += 1
        return key

    def unused(self) -> set[str]:
        """Return the settings that no command of the page has needed."""
        tables = ("before", "without", "exits", "unlike")
        keys = {f"{table} {key}" for table in tables for key in getattr(self.settings, table)}
        return (keys | self.settings.instead.keys()) - self.used.keys()


@pytest.mark.parametrize(("page", "room"), [(page, page) for page in PAGES], indirect=["room"])
def test_the_commands_of_a_page_end_and_print_as_it_says(page, room, terminal):
    settings = PAGES[page]
    for program in settings.needs:
        if not shutil.which(program, path=path_of(settings)):
            pytest.skip(f"{program} is not installed")
    typist = Typist(settings, room, terminal)
    for line in lines(page, settings.without_blocks):
        typist.type(line)
    assert typist.unused() == set()
    settings.after(room, terminal)
