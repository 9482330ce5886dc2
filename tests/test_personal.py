"""Every column of every table is either erased with a person or stays for a reason, and is listed as one of the two."""

from typing import Any

import pytest
from sqlmodel import SQLModel

from lifecycle.personal import DELETED, ERASED, NOBODYS, STAYS

PERSONAL: list[Any] = [*DELETED, *ERASED]


def test_every_table_is_judged() -> None:
    judged = {mapped.__tablename__ for mapped in PERSONAL} | NOBODYS
    assert set(SQLModel.metadata.tables) - judged == set()
    assert set(ERASED) == set(STAYS)


@pytest.mark.parametrize("model", sorted(ERASED, key=str))
def test_every_column_either_goes_or_stays(model) -> None:
    goes, stays = set(ERASED[model]), set(STAYS[model][1].split())
    assert goes & stays == set()
    assert goes | stays == set(model.__table__.columns.keys())
