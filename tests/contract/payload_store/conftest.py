"""The payload stores under test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import MetaData, create_engine, text

from common.store.payload_tables import STORE_CHUNKS_EXTERNALLY, add_payload_tables
from common.sync.payloads import PayloadStore
from tests.support.payload_places import Place


@pytest.fixture(scope="module")
def payload_database(postgres_url: str) -> str:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    metadata = MetaData()
    add_payload_tables(metadata)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text(STORE_CHUNKS_EXTERNALLY))
    engine.dispose()
    return postgres_url


@pytest.fixture
def files(tmp_path: Path) -> Place:
    return Place("files", str(tmp_path / "payloads"))


@pytest.fixture
def postgres(payload_database: str) -> Iterator[Place]:
    place = Place("postgres", payload_database)
    yield place
    with closing(psycopg.connect(payload_database, autocommit=True)) as connection:
        connection.execute("TRUNCATE payloads, payload_chunks")
    for connections in place.connections:
        connections.close()


@pytest.fixture(params=["memory", "files", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "memory":
        return Place("memory")
    place: Place = request.getfixturevalue(request.param)
    return place


@pytest.fixture(params=["files", pytest.param("postgres", marks=pytest.mark.postgres)])
def durable_place(request: pytest.FixtureRequest) -> Place:
    place: Place = request.getfixturevalue(request.param)
    return place


@pytest.fixture
def store(place: Place) -> PayloadStore:
    return place.open()
