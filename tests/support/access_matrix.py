"""The table of who may do what, and the callers it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.runtime.authentication.dummy import DummyLists

HOME, ELSEWHERE = "o", "x"
_REQUEST_CHARACTERS = 72

#: Application keys of the development authenticator by the table's word for the caller.
KEYS = {
    "root": "root@{org}",
    "admin": "ann@{org}",
    "obja": "{org}/olga",
    "user": "plain@{org}",
    "read": "reader@{org}",
    "writ": "writer@{org}",
    "nodu": "node7%{org}",
    "nodw": "node8%{org}",
    "serv": "{org}$svc$1.0.0$camera",
    "node": "{org}/edge/n1",
    "unkn": "nobody",
    "none": None,
}
LISTS = DummyLists(regular_users=frozenset({"plain", "reader", "writer"}), sync_admins=frozenset({"root"}))


@dataclass(frozen=True)
class Row:
    """One operation. `path` is below /api/v1/ unless it begins with a slash."""

    section: str
    method: str
    path: str
    accept: str
    status: int
    #: By caller: the mark at home and the one elsewhere.
    cells: dict[str, str]
    body: str

    def __str__(self) -> str:
        return f"{self.section}: {self.method} {self.path}"

    @property
    def is_cloud(self) -> bool:
        return self.section.startswith("cloud")

    @property
    def target(self) -> str:
        return self.path if self.path.startswith("/") else f"/api/v1/{self.path}"


def key_of(caller: str, org: str) -> str | None:
    key = KEYS[caller]
    return None if key is None else key.format(org=org)


def rows() -> Iterator[Row]:
    """The table's rows, in their order."""
    section, callers = "", list(KEYS)
    for line in (Path(__file__).parents[1] / "api" / "access_matrix.txt").read_text().partition("\n[")[2].splitlines():
        if "]" in line and "  " in line and line.split("]", 1)[1].split()[:1] == ["root"]:
            head, _, names = line.partition("]")
            section = head.removeprefix("[")
            assert names.split() == callers
        elif line:
            yield _row(section, callers, line)


def _row(section: str, callers: list[str], line: str) -> Row:
    asked, rest = line[:_REQUEST_CHARACTERS], line[_REQUEST_CHARACTERS:]
    request, _, accept = asked.strip().partition(" Accept: ")
    method, _, path = request.partition(" ")
    status, *marks = rest.split(maxsplit=1 + len(callers))
    body = marks.pop() if len(marks) > len(callers) else ""
    assert all(len(mark) == 2 and set(mark) <= set("+-p!") for mark in marks), line
    cells = dict(zip(callers, marks, strict=True))
    return Row(section, method, path, accept, int(status), cells, body)
