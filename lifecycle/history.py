"""The append-only history: one entry for each domain write, in the same transaction (rule 9)."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import rfc8785
import sqlalchemy
from sqlalchemy import insert
from sqlmodel import Session, col, select

from lifecycle.models import Body, Event
from lifecycle.rows import as_given, execute, given, parameters


def record(session: Session, actor: str, verb: str, thing: str, thing_id: int, *, now: datetime, **facts: Any) -> Event:
    """Write down who did what. `facts` hold ids, hashes, instants and words of a closed list: never personal data."""
    entry = canonical(actor, verb, thing, thing_id, at=now, facts=facts)
    event = Event(at=now, actor=actor, verb=verb, thing=thing, thing_id=thing_id, entry=entry, sha256=_digest(entry))
    session.add(event)
    return event


def record_all(
    session: Session,
    actor: str,
    verb: str,
    thing: str,
    names: Sequence[str],
    what: Sequence[tuple[int, ...]],
    *,
    now: datetime,
) -> None:
    """`record` for many things of a kind: of each, its facts, whole numbers of these `names` in alphabetical order, and
    its id."""
    if not what:
        return
    # The entries differ in their numbers only, and one of them shows where these stand.
    before, after = canonical(actor, verb, thing, 0, at=now, facts={}).split('{},"id":0')
    numbers = "{" + ",".join([f'"{name}":%d' for name in names]) + '},"id":%d'
    entries = [(each[-1], before + numbers % each + after) for each in what]
    rows = as_given(session, [(thing_id, entry, _digest(entry)) for thing_id, entry in entries])
    execute(session, _INSERT, given=rows, at=now, actor=actor, verb=verb, thing=thing)


_OWN, _SAME = ("thing_id", "entry", "sha256"), ("at", "actor", "verb", "thing")
_ENTRIES = sqlalchemy.select(*given(Event, *_OWN), *parameters(Event, *_SAME))
_INSERT = insert(Event).from_select([*_OWN, *_SAME], _ENTRIES)


def canonical(actor: str, verb: str, thing: str, thing_id: int, *, at: datetime, facts: dict[str, Any]) -> str:
    """The one byte form of an entry: JSON canonicalised by RFC 8785."""
    entry = {"actor": actor, "verb": verb, "thing": thing, "id": thing_id, "at": at.isoformat(), "facts": {}}
    return _plain_json(entry).replace('"facts":{}', f'"facts":{_facts(facts)}', 1)


def _facts(facts: dict[str, Any]) -> str:
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}
    return _plain_json(plain) if _is_plain(plain) else rfc8785.dumps(plain).decode()


# For whole numbers and texts under names in ASCII, which most entries hold, this is RFC 8785 and much faster.
_plain_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _is_plain(facts: dict[str, Any]) -> bool:
    return all(
        name.isascii() and (isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**53))
        for name, value in facts.items()
    )


def verify(session: Session) -> list[str]:
    """What does not hold: entries that are not their hash or canonical form, bodies that are not theirs."""
    problems = [f"event {event.id}: {why}" for event in session.exec(select(Event)) if (why := _wrong(event))]
    for body in session.exec(select(Body)):
        if _digest(body.text) != body.sha256:
            problems.append(f"body {body.id}: the text is not the one that was hashed as {body.sha256}")
    return problems


def of(session: Session, thing: str, thing_id: int) -> list[Event]:
    """The entries about one thing, oldest first."""
    about = select(Event).where(Event.thing == thing, Event.thing_id == thing_id)
    return list(session.exec(about.order_by(col(Event.id))))


def _wrong(event: Event) -> str:
    if _digest(event.entry) != event.sha256:
        return f"the entry is not the one that was hashed as {event.sha256}"
    written = json.loads(event.entry)
    if rfc8785.dumps(written).decode() != event.entry:
        return "the entry is not in canonical form"
    columns = {"actor": event.actor, "verb": event.verb, "thing": event.thing, "id": event.thing_id}
    columns["at"] = event.at.isoformat()
    changed = [name for name, value in columns.items() if written.get(name) != value]
    return f"the columns {', '.join(changed)} differ from the entry" if changed else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
