"""`assent document …`: looking at documents and their versions."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import engagements, shapes, users
from lifecycle.cli import promising, surviving
from lifecycle.cli.comparing import Format, print_comparison
from lifecycle.cli.desk import INSTANT_HELP, Desk, open_desk
from lifecycle.cli.output import JsonFlag, print_facts, print_json, print_line, print_table
from lifecycle.documents import store
from lifecycle.documents.comparison import Comparison, compare_versions, shared_locales
from lifecycle.errors import NotFound
from lifecycle.models import Document, Version

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command("promises")(promising.command)
app.command("survival")(surviving.command)

Slug = Annotated[str, typer.Argument(help="The document, such as privacy-policy.")]
Locale = Annotated[str, typer.Option("--locale", help="The language wanted, such as de or de-AT.")]
NO_DOCUMENTS = "No documents yet. Import some with `assent import FOLDER`."


@app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """All documents, and which version of each is in force."""
    with open_desk() as desk:
        found = desk.database.read(_listed, desk.now)
    if as_json:
        return print_json(found)
    headers = ("Document", "Title", "Kind", "Versions", "In force", "Since", "Upcoming", "Drafts")
    keys = ("slug", "title", "kind", "versions", "in_force", "effective_at", "upcoming", "drafts")
    return print_table(headers, [[item[key] for key in keys] for item in found], zone=desk.zone, empty=NO_DOCUMENTS)


def _listed(session: Session, now: datetime) -> list[shapes.Shape]:
    return [_summary(session, document, now) for document in store.documents(session)]


def _summary(session: Session, document: Document, now: datetime) -> shapes.Shape:
    versions, chain = store.versions(session, document), store.chain(session, document.id)
    current = store.in_force(session, document, at=now)
    return {
        "slug": document.slug,
        "title": document.title,
        "kind": document.kind,
        "default_locale": document.default_locale,
        "versions": len(versions),
        "in_force": current.number if current else None,
        "effective_at": current.effective_at if current else None,
        "upcoming": [version.number for version in store.upcoming(chain, now)],
        "drafts": [version.number for version in versions if version.published_at is None],
    }


@app.command()
def show(
    slug: Slug,
    version: Annotated[int | None, typer.Option("--version", help="Its number; without, the one in force.")] = None,
    locale: Locale = "",
    at: Annotated[str | None, typer.Option("--at", help=f"The version in force at {INSTANT_HELP}.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The stored text alone, byte for byte.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """A version: its facts, its sections, its text."""
    if version is not None and at is not None:
        raise typer.BadParameter("Give --version or --at, not both.")
    with open_desk() as desk:
        found = desk.database.read(_shown, slug, version, desk.when(at, "--at"), locale, desk.now)
    if raw:
        sys.stdout.buffer.write(found["text"].encode())
    elif as_json:
        print_json(found)
    else:
        _print_version(found, desk)


def _shown(
    session: Session, slug: str, number: int | None, at: datetime | None, locale: str, now: datetime
) -> shapes.Shape:
    document = store.document(session, slug)
    version = _wanted(session, document, number, at, now)
    body = store.body(session, version, *([locale] if locale else []))
    sections = [shapes.section(row) for row in store.section_rows(session, body)]
    return shapes.version(session, document, version, now=now) | shapes.body(body) | {"sections": sections}


def _wanted(session: Session, document: Document, number: int | None, at: datetime | None, now: datetime) -> Version:
    """The version by number, or in force at an instant; without either, the one in force now, else the newest."""
    if number is not None:
        return store.version(session, document, number)
    current = store.in_force(session, document, at=at or now)
    if current is not None:
        return current
    if at is not None:
        raise NotFound(f"No version of {document.slug!r} was in force at {at.isoformat()}.")
    newest = store.versions(session, document)[-1:]
    if not newest:
        raise NotFound(
            f"{document.slug!r} has no version yet; add one with `assent version draft {document.slug} FILE`."
        )
    return newest[0]


def _print_version(found: shapes.Shape, desk: Desk) -> None:
    facts = {
        "Document": f"{found['document']}: {found['title']}",
        "Version": f"{found['version']} ({found['state']})",
        "Language": f"{found['locale']} (there are: {', '.join(found['texts'])})",
        "Binds by": found["mode"],
        "Published": found["published_at"],
        "In force from": found["effective_at"],
        "Withdrawn": found["withdrawn_at"],
        "because": found["withdrawn_reason"],
        "Changes": "\n".join(found["changelog"]),
        "SHA-256": found["sha256"],
    }
    print_facts(facts, zone=desk.zone)
    print_line()
    rows = [
        (
            item["number"],
            "  " * max(item["level"] - 1, 0) + item["title"],
            "#" + item["anchor"],
            "survives termination" if item["survives"] else "",
        )
        for item in found["sections"]
    ]
    print_table(("Section", "Title", "Anchor", ""), rows, zone=desk.zone)
    print_line()
    print_line(found["text"])


@app.command()
def history(slug: Slug, as_json: JsonFlag = False) -> None:
    """All versions of a document, and where each stands today."""
    with open_desk() as desk:
        found = desk.database.read(_versions, slug, desk.now)
    if as_json:
        return print_json(found)
    headers = ("Version", "State", "Binds by", "Published", "In force from", "Languages", "Changes")
    rows = [
        (
            v["version"],
            v["state"] + (", imported" if v["imported"] else ""),
            v["mode"],
            v["published_at"],
            v["effective_at"],
            list(v["texts"]),
            "\n".join(v["changelog"]),
        )
        for v in found
    ]
    empty = f"No versions yet. Add one with `assent version draft {slug} FILE`."
    return print_table(headers, rows, zone=desk.zone, empty=empty)


def _versions(session: Session, slug: str, now: datetime) -> list[shapes.Shape]:
    document = store.document(session, slug)
    return [shapes.version(session, document, found, now=now) for found in store.versions(session, document)]


@app.command()
def compare(
    slug: Slug,
    old: Annotated[int | None, typer.Argument(help="Number of the earlier version.")] = None,
    new: Annotated[int | None, typer.Argument(help="Number of the later one; without, the newest published.")] = None,
    user: Annotated[str, typer.Option("--user", help="Compare with the version that binds this user.")] = "",
    locale: Locale = "",
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TEXT,
    as_json: JsonFlag = False,
) -> None:
    """What changed between two versions: whole sections, and words inside them.

    With --user it is everything since the version that binds that user, however many came in between.
    """
    if (old is None) == (not user):
        raise typer.BadParameter("Give the number of the earlier version, or --user.")
    with open_desk() as desk:
        found = desk.database.read(_compared, slug, old, new, user, locale, desk.now)
    note = f"Version {found.old.number} is what binds {user}." if user else ""
    print_comparison(found, Format.JSON if as_json else form, note=note, settings=desk.settings)


def _compared(
    session: Session, slug: str, old: int | None, new: int | None, user: str, locale: str, now: datetime
) -> Comparison:
    document = store.document(session, slug)
    before = store.version(session, document, old) if old is not None else _binding(session, document, user, now)
    after = store.version(session, document, new) if new is not None else _newest(session, document)
    shared = shared_locales(session, before, after)
    if not shared or (locale and locale not in shared):
        both = ", ".join(shared) or "none"
        raise NotFound(
            f"Versions {before.number} and {after.number} of {slug!r} have no text in {locale or 'one language'} each; "
            f"both: {both}."
        )
    return compare_versions(session, document, before, after, locale)


def _binding(session: Session, document: Document, external_id: str, now: datetime) -> Version:
    bound = engagements.bound(session, users.user(session, external_id), document, at=now)
    if bound is None:
        raise NotFound(f"No version of {document.slug!r} binds {external_id!r}.")
    return bound.version


def _newest(session: Session, document: Document) -> Version:
    published = [version for version in store.chain(session, document.id) if version.withdrawn_at is None]
    if not published:
        raise NotFound(f"No version of {document.slug!r} is published; give the number of the later version too.")
    return published[-1]
