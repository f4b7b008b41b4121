"""Lists page by page."""

from __future__ import annotations

from dataclasses import replace

from common.rest.openapi.model import Answer, query

PAGE = (
    query("limit", "At most so many, and a link to the next page.", {"type": "integer", "minimum": 1, "maximum": 1000}),
    query("after", "Where the page begins: from the link of the page before, never made up."),
)


def link(answer: Answer) -> Answer:
    """Of a list that has pages."""
    return replace(
        answer, headers={**answer.headers, "Link": 'The next page, `rel="next"`: with `limit`, where there is one.'}
    )
