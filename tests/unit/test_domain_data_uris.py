"""Which files an object may name, as far as the URI alone tells."""

from __future__ import annotations

import pytest

from common.domain.data_uris import path_of
from common.domain.errors import InvalidRequest


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///data/report.csv", ("data", "report.csv")),
        ("file:/data/report.csv", ("data", "report.csv")),
        ("FILE:///data/x", ("data", "x")),
        ("file:///a%20b/%C3%A4", ("a b", "ä")),
        ("file:///..data/...", ("..data", "...")),
        ("file:///%252e%252e/x", ("%2e%2e", "x")),
    ],
)
def test_a_file_uri_names_a_path_from_the_root(uri: str, path: tuple[str, ...]) -> None:
    assert path_of(uri, "sourceDataUri") == path


@pytest.mark.parametrize(
    "uri",
    [
        "", "file:", "file://", "file:///", "file:x", "/data/x", "http:///data/x", "http://host/x",
        "file://host/data/x", "file://localhost/data/x", "file:////data/x", "file:///data//x", "file:///data/",
        "file:///data/../x", "file:///data/%2e%2e/x", "file:///data/.%2E/x", "file:///..", "file:///data/./x",
        "file:///data%2fx", "file:///data/..%2F..%2Fetc/passwd", "file:///data/x%00", "file:///data/x\0.csv",
        "file:///data/%zz", "file:///data/%", "file:///data/%ff", "file:///data/\ud800", "file:///x?y", "file:///x#y",
    ],
)  # fmt: skip
def test_everything_else_is_refused(uri: str) -> None:
    with pytest.raises(InvalidRequest, match="sourceDataUri"):
        path_of(uri, "sourceDataUri")
