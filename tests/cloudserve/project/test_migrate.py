"""A migrated target is added to the project file; existing text stays byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve import registry
from cloudserve.errors import ConflictError, ProjectError, UserError
from cloudserve.migration import Mapped, Migration
from cloudserve.project import load_project
from cloudserve.project.migrate import insert, migrate

HEAD = "# mine\nmodels:\n  m:\n    path: x\n"
BLOCK = """\
targets:
  # the old one
  gcp:
    provider: ai-platform   # legacy
    bucket: "gs://b"
    # runtime_version: "2.11"
"""
MOVED = Migration(
    "vertex",
    "Because.",
    (
        Mapped("bucket", "gs://b", "bucket", "gs://b"),
        Mapped("runtime_version", "2.11", "tensorflow_version", "2.15", "newer"),
        Mapped("framework", "TENSORFLOW", "", None, "gone"),
        Mapped("labels", {"a": "1"}, "labels", {"a": "1"}),
    ),
)
ADDED = """\
  # Because.
  gcp-vertex:
    provider: vertex
    bucket: gs://b
    tensorflow_version: '2.15'
    labels:
      a: '1'
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a function that writes a project file whose targets migrate to MOVED."""
    monkeypatch.setattr(registry, "migration", lambda target: MOVED)

    def write(text):
        path = tmp_path / "cloudserve.yaml"
        path.write_bytes(text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD + BLOCK, HEAD + BLOCK + "\n" + ADDED),
        (HEAD + BLOCK.rstrip("\n"), HEAD + BLOCK.rstrip("\n") + "\n\n" + ADDED),
        (HEAD + BLOCK + "\n\n# the end\n", HEAD + BLOCK + "\n" + ADDED + "\n\n# the end\n"),
        (
            BLOCK + "\n# the models\n" + HEAD.partition("\n")[2],
            BLOCK + "\n" + ADDED + "\n# the models\n" + HEAD.partition("\n")[2],
        ),
        (
            HEAD + "targets:\n  gcp: {provider: ai-platform}\n",
            HEAD + "targets:\n  gcp: {provider: ai-platform}\n\n" + ADDED,
        ),
    ],
)
def test_the_target_is_added_after_the_last_one(project, before, after):
    path = project(before)
    written = migrate(path, "gcp")
    assert path.read_text() == after
    assert (written.name, written.changed) == ("gcp-vertex", True)
    fields = load_project(path, environ={}).target("gcp-vertex").fields
    assert fields == MOVED.fields


def test_line_endings_and_mode_are_kept(project):
    path = project((HEAD + BLOCK).replace("\n", "\r\n"))
    path.chmod(0o640)
    migrate(path, "gcp")
    assert path.read_bytes() == (HEAD + BLOCK + "\n" + ADDED).replace("\n", "\r\n").encode()
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_to_the_file_stays_a_link(project, tmp_path):
    path = project(HEAD + BLOCK)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    migrate(link, "gcp")
    assert link.is_symlink()
    assert "gcp-vertex" in path.read_text()


def test_a_dry_run_writes_nothing(project):
    path = project(HEAD + BLOCK)
    written = migrate(path, "gcp", "next", write=False)
    assert path.read_text() == HEAD + BLOCK
    assert written.text.startswith("# Because.\nnext:\n  provider: vertex\n")
    assert not written.changed


@pytest.mark.parametrize(
    ("text", "name", "kind", "message"),
    [
        (HEAD + BLOCK, "gcp", ConflictError, "already has a target `gcp`"),
        (HEAD + BLOCK, "a b", UserError, "`a b` is not a target name"),
        (HEAD + BLOCK, "GCP", ProjectError, "would share their environment variables"),
        (
            HEAD + "targets: {gcp: {provider: ai-platform}}\n",
            None,
            ProjectError,
            "is in YAML flow style",
        ),
    ],
)
def test_a_refused_migration_does_not_change_the_file(project, tmp_path, text, name, kind, message):
    path = project(text)
    with pytest.raises(kind, match=message):
        migrate(path, "gcp", name)
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_the_hint_contains_the_text_to_add_by_hand(project):
    path = project(HEAD + "targets: {gcp: {provider: ai-platform}}\n")
    with pytest.raises(ProjectError) as error:
        migrate(path, "gcp")
    assert "gcp-vertex:\n  provider: vertex\n" in error.value.hint
    assert error.value.where.endswith("cloudserve.yaml:5: targets")


def test_a_read_only_file_system_is_an_error(project, monkeypatch):
    path = project(HEAD + BLOCK)

    def refuse(self, *arguments, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(UserError, match="cannot be written: Read-only file system"):
        migrate(path, "gcp")


def test_a_full_file_system_is_an_error(project, tmp_path, monkeypatch):
    path = project(HEAD + BLOCK)

    def full(self, *arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        migrate(path, "gcp")
    assert path.read_text() == HEAD + BLOCK


def test_values_of_the_environment_are_not_written_to_the_file(project, monkeypatch):
    monkeypatch.setenv("CLOUDSERVE_GCP_BUCKET", "gs://secret")
    path = project(HEAD + BLOCK)
    migrate(path, "gcp")
    assert "secret" not in path.read_text()


COMMENTS = st.lists(
    st.sampled_from(["", "# margin", "  # inner", "    # deep", "   "]), max_size=3
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(COMMENTS, COMMENTS, COMMENTS, st.booleans(), st.sampled_from([1, 2, 4]))
def test_comments_anywhere_are_kept_and_one_target_is_added(
    tmp_path_factory, first, middle, last, models_first, indent
):
    import yaml

    pad = " " * indent
    targets = (
        f"targets:\n{first}{pad}gcp:\n{pad * 2}provider: ai-platform\n{middle}"
        f"{pad}aws:\n{pad * 2}provider: s\n{last}"
    )
    models = "models:\n  m: {path: x}\n"
    before = models + targets if models_first else targets + models
    added = "new:\n  provider: vertex\n"
    after = insert(before, added, tmp_path_factory.getbasetemp() / "x.yaml")
    wanted = yaml.safe_load(before)
    wanted["targets"]["new"] = {"provider": "vertex"}
    assert yaml.safe_load(after) == wanted
    kept = [line for line in after.splitlines() if line.strip() not in {"new:", "provider: vertex"}]
    assert [k for k in kept if k.strip()] == [b for b in before.splitlines() if b.strip()]


def test_a_target_without_a_successor_is_refused(tmp_path):
    path = tmp_path / "cloudserve.yaml"
    path.write_text(HEAD + "targets:\n  aws:\n    provider: sagemaker\n")
    with pytest.raises(
        UserError, match="a `sagemaker` target has no platform to migrate to"
    ) as error:
        migrate(path, "aws")
    assert error.value.hint == "migrate a target of ai-platform"
