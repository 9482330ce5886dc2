"""The table in docs/rules.md says what binds; each of its cells is acted out."""

from pathlib import Path

import pytest
from sqlmodel import Session

from lifecycle import activity, deeming, engagements, ledger
from lifecycle.documents.publishing import withdraw
from lifecycle.errors import RuleRefused
from lifecycle.models import User, Version
from lifecycle.states import EngagementKind, Mode
from tests.helpers import DAY, HOUR, NOW, ZONE, add_user, bound_by, engage, next_version, published_terms, tell

RULES = Path(__file__).parents[1] / "docs" / "rules.md"
NOTHING = "only posted"


def table() -> dict[Mode, dict[str, str]]:
    """What the table says, by mode and what happened."""
    rows = [line.strip("| ").split(" | ") for line in RULES.read_text("utf-8").splitlines() if line.startswith("| ")]
    [top] = [n for n, row in enumerate(rows) if row[0] == "what happened"]
    found = [row for row in rows[top + 2 :] if len(row) == len(rows[top])]
    return {Mode(name.strip("`")): {row[0]: row[n] for row in found} for n, name in enumerate(rows[top]) if n}


def act(session: Session, user: User, version: Version, event: str, *, at) -> None:
    match event:
        case "told":
            tell(session, user, version, at=at)
        case "used on":
            assert not activity.record(session, [(user.external_id, at)], now=at).problems
        case "deadline passed":
            pass
        case "version withdrawn":
            withdraw(session, version, reason="A mistake.", now=at)
        case "imported":
            engagements.import_binding(session, user, version, at=at, now=at)
        case _:
            engage(session, user, version, EngagementKind(event), at=at)


def after(session: Session, mode: Mode, events: list[str]) -> int | None:
    _, first = published_terms(session)
    user = add_user(session)
    engage(session, user, first, EngagementKind.ACCEPTED)
    version, at = next_version(session, mode, deadline_days=5, now=NOW + HOUR), NOW + HOUR
    for event in events:
        at += 6 * DAY if event == "deadline passed" else HOUR
        act(session, user, version, event, at=at)
        if event == "deadline passed" and (told := ledger.notified(session, user, version)):
            deeming.deem_by_silence(session, told, zone=ZONE, now=at)
    found = bound_by(session, user, at=at)
    return found[0] if found else None


def test_the_table_has_a_column_for_every_mode_and_an_event_for_every_deed() -> None:
    assert set(table()) == set(Mode)
    for said in table().values():
        assert {kind.value for kind in engagements.BY_USERS} <= set(", ".join(said).split(", "))


@pytest.mark.parametrize("mode", Mode)
def test_each_cell_of_the_table_is_what_happens(session: Session, mode: Mode) -> None:
    for what, said in table()[mode].items():
        events = [event for event in what.split(", ") if event != NOTHING]
        world = session.begin_nested()
        if said == "refused":
            with pytest.raises(RuleRefused):
                after(session, mode, events)
        else:
            assert after(session, mode, events) == int(said), what
        world.rollback()
