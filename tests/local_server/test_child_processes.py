"""The output of child processes."""

import logging
import subprocess

from cloudserve.local_server.child_processes import Output


def test_a_log_that_cannot_be_written_does_not_block_the_process(caplog):
    """A pipe holds 64 KiB: the process ends only if its output is read."""
    lines, length = 3000, 100
    calls = []

    def write(line):
        calls.append(line)
        raise OSError("the disk is full")

    command = ["sh", "-c", f"yes {'x' * length} | head -n {lines}; echo end"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        output = Output(process, "container", write)
        assert process.wait(30) == 0
        output.wait()
    assert output.last() == "; it last wrote: end"
    assert calls == ["x" * length]
    (record,) = (one for one in caplog.records if one.levelno == logging.ERROR)
    assert record.message == "the output of container is not kept any more"
