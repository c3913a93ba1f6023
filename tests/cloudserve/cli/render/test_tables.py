"""Tables for people: long texts of a platform are below their row, as wide as the terminal."""

import os
import shutil
import sys
from dataclasses import replace

import pytest

from cloudserve.cli.errors import run
from cloudserve.cli.render.report import Report, Table, print_report
from cloudserve.release.types import Deployed, Deployment, Reading, Revision, State

REASON = (
    "Failed to load model: Op type not registered 'MyOp' in binary running on host. Make sure the "
    "Op and Kernel are registered in the binary running in this process."
)


@pytest.fixture
def failed(project, platform, monkeypatch):
    """Make the platform's endpoint one that failed."""
    revision = Revision(1, "0f3c5a9b7d21" + "0" * 52)
    deployed = Deployed(revision, State.FAILED, "mem://bucket/1", reason=REASON)
    deployment = Deployment("half", "here", (deployed,), state=State.FAILED)
    monkeypatch.setattr(platform, "read", lambda model: Reading(deployment), raising=False)
    return deployment


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_reason_is_below_its_row_within_the_width(failed, capsys, monkeypatch, columns):
    size = os.terminal_size((columns, 24))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda default: size)
    run(["status", "half"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [
        "REVISION         STATE   TRAFFIC  CREATED",
        "v1-0f3c5a9b7d21  failed  0%       -",
    ]
    assert " ".join(line.strip() for line in lines[3:]) == REASON
    assert all(line.startswith("  ") and len(line) <= columns for line in lines[3:])


def test_status_exits_with_4_if_the_endpoint_failed(failed, platform, monkeypatch, capsys):
    assert run(["status", "half"]) == 4
    assert run(["status", "half", "-o", "json"]) == 4
    ready = replace(failed, state=State.READY)
    monkeypatch.setattr(platform, "read", lambda model: Reading(ready))
    assert run(["status", "half"]) == 0


def test_a_line_break_in_a_cell_does_not_break_the_row(capsys):
    print_report(Report(None, (Table(("A", "B"), [("1\n2", "3")]),)), "table")
    assert capsys.readouterr().out == "A    B\n1 2  3\n"


TIMES = ("TIME (UTC)", "WHO", "DID", "REVISION", "BEFORE", "OUTCOME")
RELEASE = (
    "2026-11-30 09:16:58",
    "root@vm",
    "rollback",
    "v1-0190639e36e8",
    "v2-170753a09a0d",
    "done",
)
TAGS = (
    ("WHAT", "PROJECT", "LEDGER", "PLATFORM"),
    [("tags", "cost-centre=1234, team=vision, stage=production", "-", "team=speech, stage=test")],
)
URL = "s3://my-bucket/cloudserve/project.demo/line/revisions/v1-0190639e36e8/line/1/"
STEPS = (("STEP", "", "WHAT IT DOES"), [("   1", "+", f"upload models/line/1 to {URL}")])


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Make stdout a terminal of a width, and print a table on it."""

    def printed(table: Table, width: int) -> list[str]:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setattr(
            shutil, "get_terminal_size", lambda default: os.terminal_size((width, 24))
        )
        print_report(Report(None, (table,)), "table")
        return capsys.readouterr().out.splitlines()

    return printed


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize(("columns", "rows"), [(TIMES, [RELEASE]), TAGS, STEPS])
def test_a_table_is_not_wider_than_the_terminal(terminal, columns, rows, width):
    lines = terminal(Table(columns, rows), width)
    assert max(map(len, lines)) <= width
    for word in " ".join(rows[0]).split():
        assert len(word) > 60 - 10 or word[:10] in " ".join(lines)


def test_words_stay_whole_where_they_fit(terminal):
    assert terminal(Table(*TAGS), 60) == [
        "WHAT PROJECT                  LEDGER PLATFORM",
        "tags cost-centre=1234,        -      team=speech, stage=test",
        "     team=vision,",
        "     stage=production",
    ]


def test_the_gaps_give_way_first(terminal):
    head, row = terminal(Table(TIMES, [RELEASE]), 80)
    assert (len(head), row) == (76, " ".join(RELEASE))


def test_rows_of_a_pipe_stay_on_a_line(capsys):
    print_report(Report(None, (Table(*STEPS),)), "table")
    assert capsys.readouterr().out.splitlines()[1].endswith(URL)


def test_names_stay_whole_where_a_date_may_be_broken(terminal):
    release = (*RELEASE[:1], "ada", "deploy", *RELEASE[3:])
    _, *lines = terminal(Table(TIMES, [release]), 61)
    assert lines == [
        "2026-11-30 ada deploy v1-0190639e36e8 v2-170753a09a0d done",
        "09:16:58",
    ]


def test_a_title_is_broken_between_words_and_never_within_a_url(terminal):
    title = f"undeploy half from aws: 5 steps; nothing was changed; the files stay in {URL}"
    *lines, head, row = terminal(Table(("A",), [("1",)], title), 60)
    assert " ".join(lines) == title
    assert lines[-1] == URL
    assert len(lines[0]) <= 60
    assert (head, row) == ("A", "1")
    assert terminal(Table((), (), title), 60) == [title]  # a text without a table may be a command
