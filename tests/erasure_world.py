"""A thousand people with something of each in every place there is, and the search for what is left of some of them."""

import base64
import binascii
import json
import quopri
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlmodel import Session, SQLModel, select

from lifecycle import choices, engagements, requests, terminations, users
from lifecycle.models import User, Version
from lifecycle.states import EngagementKind, Initiator, RequestKind
from tests.conftest import NOW
from tests.helpers import DAY, ZONE

# What every place of an erased person holds, by kind of place. Nobody else has these.
STEMS = {"name": "zölibri", "mail": "zolibri", "discord": "836104725903", "words": "Zaunkönigs Geheimnis"}
OTHERS = {"name": "amsel", "mail": "amsel", "discord": "111111111111", "words": "Nothing special"}


def encodings(stem: str) -> Iterator[tuple[str, bytes]]:
    """The stem as it may stand in a file, by how it is written there."""
    raw = stem.encode()
    yield "raw", raw
    yield "JSON-escaped", json.dumps(stem)[1:-1].encode()
    yield "URL-escaped", quote(stem).encode()
    yield "quoted-printable", quopri.encodestring(raw)
    for name in ("utf-16-le", "utf-16-be"):
        yield name, stem.encode(name)
    for data in (raw, stem.encode("utf-16-le")):
        yield "hex", binascii.hexlify(data)
        yield "hex, capitals", binascii.hexlify(data).upper()
        for shift in range(3):
            # The letters that also hold bits of what stands before and after are left off.
            coded, whole = base64.b64encode(b"\0" * shift + data), (shift + len(data)) * 8 // 6
            yield f"base64 from {shift}", coded[(0, 2, 3)[shift] : whole]


def traces(data: bytes, stems: dict[str, str] = STEMS) -> set[tuple[str, str]]:
    """Which stems stand in the data, and how they are written."""
    small = data.lower()
    return {
        (kind, how)
        for kind, stem in stems.items()
        for how, coded in encodings(stem)
        if coded in data or (how == "raw" and coded.lower() in small)
    }


def traces_in(folder: Path) -> dict[str, set[tuple[str, str]]]:
    """What is left in each file below the folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {str(path.relative_to(folder)): traces(path.read_bytes()) for path in files}
    return {name: left for name, left in found.items() if left}


@dataclass
class Crowd:
    """People by the host's id: those to be erased, and the others."""

    doomed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def arrive(session: Session, size: int) -> Crowd:
    """`size` users, of whom every fifth is to be erased."""
    crowd = Crowd()
    for n in range(size):
        stems, side = (STEMS, crowd.doomed) if n % 5 == 0 else (OTHERS, crowd.others)
        name = f"{stems['name']}/{n:04}"
        users.upsert(
            session,
            name,
            email=f"{stems['mail']}.{n:04}@{stems['mail']}.example",
            discord_id=f"{stems['discord']}{n:04}",
            locale="de" if n % 2 else "en",
            now=NOW,
        )
        side.append(name)
    return crowd


def leave_marks(session: Session, name: str, version: Version, n: int) -> None:
    """The user accepts, chooses, asks, is answered; some are terminated."""
    user = users.user(session, name)
    words = (STEMS if name.startswith(STEMS["name"]) else OTHERS)["words"]
    engagements.engage(
        session,
        user,
        version,
        EngagementKind.ACCEPTED,
        ip="203.0.113.9",
        user_agent=f"Browser of {words}",
        at=NOW,
        zone=ZONE,
        now=NOW + DAY,
    )
    choices.choose(session, user, choices.ANALYTICS, False, source="web", now=NOW)
    kinds = list(RequestKind)
    where: dict[str, Any] = {"discord_id": user.discord_id or ""} if n % 2 else {"email": user.email}
    asked = requests.open_request(
        session,
        kinds[n % len(kinds)],
        subject=f"{words} {n}",
        details=f"I am {name}: {words}. " * (1 + n % 40),
        user=user if n % 3 else None,
        source="discord" if n % 2 else "email",
        regime="gdpr-12",
        now=NOW,
        **where,
    )
    requests.answer(session, asked, f"Dear {name}, we know of {words}. " * 5, now=NOW)
    if n % 4 == 0:
        cause = terminations.Cause(Initiator.PROVIDER, f"{name} told {words}.", facts=words, redress=f"Ask {name}.")
        terminations.terminate(session, user, cause, zone=ZONE, notice_days=30, now=NOW + DAY)


def leave_all_marks(session: Session, names: list[str], version: Version, start: int = 0) -> None:
    for n, name in enumerate(names, start):
        leave_marks(session, name, version, n)


def rows(session: Session) -> dict[str, dict[Any, dict[str, Any]]]:
    """Every row of every table by its key."""
    tables = SQLModel.metadata.sorted_tables
    found = {}
    for table in tables:
        [key] = table.primary_key.columns
        found[table.name] = {
            row[key.name]: dict(row) for row in session.connection().execute(table.select()).mappings()
        }
    return found


def of_people(tables: dict[str, dict[Any, dict[str, Any]]], gone: set[int]) -> dict[str, set[Any]]:
    """The keys of the rows that belong to these users, by table."""

    def owned(table: str, column: str, owners: set[Any]) -> set[Any]:
        return {key for key, row in tables[table].items() if row[column] in owners}

    by_user = ("notices", "requests", "terminations", "engagements", "choices", "graces", "holds", "erasures")
    found = {name: owned(name, "user_id", gone) for name in by_user} | {"users": gone}
    found["requests"] |= {key for key, row in tables["requests"].items() if traces(str(row).encode())}
    found["replies"] = owned("replies", "request_id", found["requests"])
    found["notices"] |= owned("notices", "request_id", found["requests"])
    found["attempts"] = owned("attempts", "notice_id", found["notices"])
    found["reports"] = owned("reports", "notice_id", found["notices"])
    found["messages"] = owned("messages", "notice_id", found["notices"])
    found["traces"] = owned("traces", "engagement_id", found["engagements"])
    found["grounds"] = owned("grounds", "termination_id", found["terminations"])
    return found


def doomed_ids(session: Session, crowd: Crowd) -> set[int]:
    return {user.id for user in session.exec(select(User)) if user.external_id in set(crowd.doomed)}
