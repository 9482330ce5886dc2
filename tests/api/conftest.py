"""The interface over a small world, on both databases."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from lifecycle.api import api
from lifecycle.db import Database
from lifecycle.settings import Settings
from tests.conftest import NOW
from tests.helpers import add_user, published_terms

TOKEN = {"Authorization": "Bearer test-token"}


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The interface's clock, for tests that let time pass."""
    return Clock()


@pytest.fixture
def interface(database: Database, make_settings: Callable[..., Settings], clock: Clock) -> FastAPI:
    """The interface over `terms`, whose version 1 is in force, and the user ada."""
    database.run(published_terms)
    database.run(add_user)
    return api(make_settings(), database, clock)


@pytest.fixture
def client(interface: FastAPI) -> Iterator[TestClient]:
    """The host application, with the token."""
    with TestClient(interface, headers=TOKEN) as client:
        yield client
