"""Files that objects name: inside one directory, whole, and never by way of a link."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.domain.errors import InvalidRequest
from ess.store.data_directory import DataDirectory, DataFileRefused


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    return root


def read(root: Path, uri: str) -> bytes:
    with DataDirectory(root).open(uri) as file:
        return file.read(1000)


def write(root: Path, uri: str, *pieces: bytes) -> None:
    DataDirectory(root).replace(uri, pieces or [b"new"])


def everything(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def test_a_file_is_durable_before_it_has_its_name_and_its_name_on_return(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(descriptor: int) -> None:
        steps.append("sync directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def note_rename(*names: str, **directories: Any) -> None:
        steps.append("rename")
        rename(*names, **directories)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)

    write(root, f"file://{root}/f")
    assert steps == ["sync file", "rename", "sync directory"]

    steps.clear()
    DataDirectory(root).remove(f"file://{root}/f")
    assert steps == ["sync directory"]


def test_writing_leaves_no_file_open(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    write(root, f"file://{root}/f")

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_is_read_in_pieces(root: Path) -> None:
    (root / "below").mkdir()
    (root / "below" / "a b").write_bytes(b"0123456789")

    with DataDirectory(root).open(f"file://{root}/below/a%20b") as file:
        assert file.size_bytes == 10
        assert [file.read(6), file.read(6), file.read(6)] == [b"012345", b"6789", b""]


def test_a_file_that_changes_while_it_is_read_is_not_half_of_each(root: Path) -> None:
    path = root / "f"
    path.write_bytes(b"0123456789")

    with DataDirectory(root).open(f"file://{path}") as file:
        file.read(5)
        path.write_bytes(b"0123456789 and more")
        with pytest.raises(InvalidRequest, match="changed"):
            file.read(5)


def test_an_operator_may_reach_the_directory_by_a_link(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    (root / "f").write_bytes(b"here")

    assert read(link, f"file://{link}/f") == b"here"


def escapes(root: Path) -> Iterator[str]:
    outside = root.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(outside / "secret")
    (root / "linked").symlink_to(outside)
    (root / "directory").mkdir()
    os.mkfifo(root / "pipe")
    (root.parent / "data-too").mkdir()
    (root.parent / "data-too" / "f").write_bytes(b"look-alike")
    yield "file:///etc/passwd"
    yield f"file://{outside}/secret"
    yield f"file://{root}-too/f"
    yield f"file://{root}"
    yield f"file://{root}/link"
    yield f"file://{root}/linked/secret"
    yield f"file://{root}/directory"
    yield f"file://{root}/pipe"
    yield f"file://{root}/../outside/secret"
    yield f"file://{root}/%2e%2e/outside/secret"
    yield f"file://host{root}/f"
    yield f"file://{root}/{'x' * 300}/f"


def test_nothing_outside_can_be_read_and_nothing_but_files(root: Path) -> None:
    for uri in [*escapes(root), f"file://{root}/missing", f"file://{root}/missing/f"]:
        with pytest.raises(InvalidRequest):
            read(root, uri)


def test_nothing_outside_can_be_written_or_removed_and_nothing_but_files(root: Path) -> None:
    uris = list(escapes(root))
    before = everything(root.parent)
    for uri in uris:
        with pytest.raises(DataFileRefused):
            write(root, uri)

    assert everything(root.parent) == before
    for uri in [f"file://{root}/linked/secret", f"file://{root.parent}/outside/secret"]:
        try:
            DataDirectory(root).remove(uri)
        except DataFileRefused:
            pass
    assert (root.parent / "outside" / "secret").read_bytes() == b"secret"


def test_the_answer_does_not_tell_what_lies_outside(root: Path) -> None:
    there, not_there = f"file://{root.parent}", f"file://{root.parent}/nothing"

    answers = set()
    for uri in (there, not_there):
        with pytest.raises(InvalidRequest) as refusal:
            read(root, uri)
        answers.add(str(refusal.value))
    assert len(answers) == 1


def test_a_parent_swapped_for_a_link_while_writing_leads_nowhere(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "sub").mkdir()

    def pieces() -> Iterator[bytes]:
        yield b"first"
        (root / "sub").rename(root / "moved")
        (root / "sub").symlink_to(outside)
        yield b" second"

    DataDirectory(root).replace(f"file://{root}/sub/f", pieces())

    assert list(outside.iterdir()) == []
    assert (root / "moved" / "f").read_bytes() == b"first second"


def test_a_file_is_replaced_in_one_step(root: Path) -> None:
    uri = f"file://{root}/deep/below/f"
    write(root, uri, b"first version, which is longer")
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add((root / "deep/below/f").read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20):
        write(root, uri, b"second", b" version")
        write(root, uri, b"first version, which is longer")
    done.set()
    watcher.join()

    assert seen <= {b"first version, which is longer", b"second version"}
    assert everything(root) == {"deep", "deep/below", "deep/below/f"}
    assert (root / "deep/below/f").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_whole_leaves_what_was_there(root: Path) -> None:
    uri = f"file://{root}/f"
    write(root, uri, b"old")

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise EOFError

    with pytest.raises(EOFError):
        DataDirectory(root).replace(uri, broken())

    assert everything(root) == {"f"}
    assert (root / "f").read_bytes() == b"old"


def test_what_a_crash_left_behind_goes_with_the_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"file://{root}/f"
    with monkeypatch.context() as crash:

        def pieces() -> Iterator[bytes]:
            yield b"half"
            crash.setattr(os, "unlink", _stop)
            _stop()

        with pytest.raises(RuntimeError):
            DataDirectory(root).replace(uri, pieces())
    assert len(everything(root)) == 1

    DataDirectory(root).remove(uri)

    assert everything(root) == set()


def test_removing_what_is_gone_is_no_error(root: Path) -> None:
    for uri in (f"file://{root}/f", f"file://{root}/no/such/directory/f"):
        DataDirectory(root).remove(uri)


def test_a_directory_that_is_gone_refuses_everything(root: Path) -> None:
    root.rmdir()

    with pytest.raises(DataFileRefused):
        write(root, f"file://{root}/f")
    with pytest.raises(InvalidRequest):
        read(root, f"file://{root}/f")
    DataDirectory(root).remove(f"file://{root}/f")


def _stop(*_: object, **__: object) -> None:
    raise RuntimeError
