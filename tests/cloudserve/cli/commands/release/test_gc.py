"""`cloudserve gc` as a person sees it."""

import pytest

from cloudserve.cli.errors import run

PROJECT = "models:\n  half:\n    path: {path}\ntargets:\n  here:\n    provider: memory\n"
WOULD = "would remove 0 revisions and free 0 bytes in the bucket"


@pytest.fixture
def printed(tmp_path, monkeypatch, base, releases, capsys):
    (tmp_path / "cloudserve.yaml").write_text(PROJECT.format(path=base))
    monkeypatch.chdir(tmp_path)

    def run_here(*arguments, code=0):
        capsys.readouterr()
        assert run(arguments) == code
        return capsys.readouterr()

    return run_here


def test_the_plan_is_shown_first_and_then_carried_out(printed, platform):
    for version in ("123", "124"):
        printed("deploy", "half", "--version", version)
    printed("promote", "half")
    platform.leftovers = True
    platform.blobs.write("cloudserve/half/notes.txt", b"mine")
    one, two = sorted(platform.deployed)
    lines = printed("gc", "--keep", "1", "--dry-run").out.splitlines()
    assert lines == [
        f"half on here: 1 step; {WOULD}; nothing was changed",
        "REVISION           WHERE             BYTES   RESULT",
        f"{two}  platform, bucket  10,117  stays: it has 100% of the traffic",
        f"{one}  platform, bucket  10,117  stays: a rollback goes back to it",
        "",
        "STEP     WHAT IT DOES",
        "   1  ~  delete what is unused",
        "",
        "UNKNOWN OBJECT             BYTES  WHY IT IS NOT DELETED",
        "cloudserve/half/notes.txt  4      cloudserve does not write such objects",
    ]
    assert platform.leftovers
    done = printed("gc", "half", "--keep", "1").out
    assert done.startswith("half on here: removed 0 revisions, freed 0 bytes in the bucket\n")
    assert printed("gc", "half", "--keep", "1").out.startswith("half on here: nothing to remove\n")
    assert "gc" in printed("history", "half").out


@pytest.mark.parametrize("keep", ["0", "-1", "many"])
def test_a_wrong_number_is_a_usage_error(printed, keep):
    assert "--keep" in printed("gc", "half", "--keep", keep, code=2).err


def test_the_number_is_needed_and_unknown_models_are_named(printed):
    assert "missing option '--keep'" in printed("gc", "half", code=2).err
    assert "did you mean `half`?" in printed("gc", "hal", "--keep", "1", code=2).err
