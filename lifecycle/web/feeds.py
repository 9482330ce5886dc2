"""What machines read of the public pages: Atom feeds (RFC 4287) of what is published, and each version as JSON.

Article 14 of the Digital Services Act (Regulation (EU) 2022/2065) asks for terms in a machine-readable format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree

from fastapi import APIRouter, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response
from sqlmodel import Session

from lifecycle import shapes
from lifecycle.documents import store
from lifecycle.errors import NotFound
from lifecycle.models import Body, Document, Version
from lifecycle.settings import Settings
from lifecycle.web.pages import HEADERS, Pages

ATOM = "http://www.w3.org/2005/Atom"
ENTRIES = 50  # on a page of a feed; older ones follow by its `next` link (RFC 5005)
NEVER = datetime.fromtimestamp(0, UTC)
OPEN = HEADERS | {"Access-Control-Allow-Origin": "*"}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

PageNumber = Annotated[int, Query(ge=1, le=100_000)]
Locale = Annotated[str, Query(max_length=35)]


@dataclass(frozen=True, slots=True)
class Entry:
    """A published version as a feed tells of it, with the one that it followed."""

    document: Document
    version: Version
    body: Body
    before: Version | None

    @property
    def published(self) -> datetime:
        assert self.version.published_at is not None, "only published versions are told of"
        return self.version.published_at

    @property
    def updated(self) -> datetime:
        return self.version.withdrawn_at or self.published

    @property
    def id(self) -> str:
        """Stays what it is wherever the pages move to: a publication never changes."""
        name = f"{self.document.slug}/{self.version.number}/{self.published.isoformat()}/{self.body.sha256}"
        return uuid5(NAMESPACE_URL, name).urn


def routes(pages: Pages) -> APIRouter:
    """The feeds and the JSON; to be placed before the pages, whose paths are wider."""
    router = APIRouter(include_in_schema=False)
    read, settings = pages.database.read, pages.settings

    @router.get("/feed.atom")
    def all_versions(request: Request, page: PageNumber = 1) -> Response:
        title = f"{settings.operator}: terms and policies"
        return _answer(request, read(_feed_of_all, settings, title, page))

    @router.get("/{slug}/feed.atom")
    def versions(request: Request, slug: str, page: PageNumber = 1) -> Response:
        return _answer(request, read(_feed_of_one, settings, slug, page))

    @router.get("/documents.json")
    def documents() -> JSONResponse:
        return _json({"documents": read(_index, settings, pages.clock())})

    @router.get("/{slug}.json")
    def current(slug: str, locale: Locale = "") -> JSONResponse:
        return _json(read(_version, settings, slug, None, locale, pages.clock()))

    @router.get("/{slug}/{number}.json")
    def version(slug: str, number: int, locale: Locale = "") -> JSONResponse:
        return _json(read(_version, settings, slug, number, locale, pages.clock()))

    return router


def _json(found: dict[str, Any]) -> JSONResponse:
    return JSONResponse(jsonable_encoder(found), headers=OPEN)


def _answer(request: Request, feed: bytes) -> Response:
    """The feed, or 304 for a reader who has it."""
    tag = f'"{sha256(feed).hexdigest()[:32]}"'
    headers = OPEN | {"ETag": tag}
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(feed, media_type="application/atom+xml", headers=headers)


# -- Atom ------------------------------------------------------------------------------------------------------------


def _feed_of_all(session: Session, settings: Settings, title: str, page: int) -> bytes:
    publications = [each for document in store.documents(session) for each in _publications(session, document)]
    return _feed(session, settings, title, "", uuid5(NAMESPACE_URL, settings.base_url).urn, publications, page)


def _feed_of_one(session: Session, settings: Settings, slug: str, page: int) -> bytes:
    document = store.document(session, slug)
    id_ = uuid5(NAMESPACE_URL, f"{slug}/{document.created_at.isoformat()}").urn
    publications = _publications(session, document)
    return _feed(session, settings, document.title, f"/{slug}", id_, publications, page)


Publication = tuple[Document, Version, Version | None]


def _publications(session: Session, document: Document) -> list[Publication]:
    chain = store.chain(session, document.id)
    return [(document, version, before) for version, before in zip(chain, [None, *chain], strict=False)]


def _feed(
    session: Session,
    settings: Settings,
    title: str,
    path: str,
    id_: str,
    publications: Sequence[Publication],
    page: int,
) -> bytes:
    url = settings.base_url
    newest_first = sorted(publications, key=lambda each: (_at(each[1]), each[1].number), reverse=True)
    shown = newest_first[(page - 1) * ENTRIES : page * ENTRIES]
    entries = [Entry(document, version, store.body(session, version), before) for document, version, before in shown]
    feed = ElementTree.Element("feed", xmlns=ATOM)
    _add(feed, "id", id_)
    _add(feed, "title", title)
    _add(
        feed,
        "updated",
        _instant(max((_updated(v) for _, v, _ in publications), default=datetime.fromtimestamp(0, UTC))),
    )
    _add(ElementTree.SubElement(feed, "author"), "name", settings.operator)
    at_page = "" if page == 1 else f"?page={page}"
    _link(feed, "self", f"{url}{path}/feed.atom{at_page}", "application/atom+xml")
    _link(feed, "alternate", f"{url}{path}/history" if path else f"{url}/", "text/html")
    if len(newest_first) > page * ENTRIES:
        _link(feed, "next", f"{url}{path}/feed.atom?page={page + 1}", "application/atom+xml")
    for entry in entries:
        _add_entry(feed, entry, url)
    whole: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return whole


def _add_entry(feed: ElementTree.Element, entry: Entry, url: str) -> None:
    slug, number = entry.document.slug, entry.version.number
    element = ElementTree.SubElement(feed, "entry", {"xml:lang": entry.body.locale})
    _add(element, "id", entry.id)
    _add(element, "title", f"{entry.body.title}, version {number}")
    _add(element, "updated", _instant(entry.updated))
    _add(element, "published", _instant(entry.published))
    ElementTree.SubElement(element, "category", term=slug, label=entry.document.title)
    _link(element, "alternate", f"{url}/{slug}/{number}", "text/html")
    _link(element, "alternate", f"{url}/{slug}/{number}.json", "application/json")
    if entry.before is not None:
        _link(element, "related", f"{url}/{slug}/compare/{entry.before.number}/{number}", "text/html", "What changed")
    _add(element, "summary", "\n".join(_said(entry)))


def _said(entry: Entry) -> Iterator[str]:
    version = entry.version
    assert version.effective_at is not None, "a published version has an effective instant"
    yield f"In force from {version.effective_at.date().isoformat()}."
    yield from (entry.body.changelog or version.changelog).splitlines()
    if version.withdrawn_at is not None:
        yield f"Withdrawn on {version.withdrawn_at.date().isoformat()}: {version.withdrawn_reason}"


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = _NOT_XML.sub("\ufffd", text)


def _link(parent: ElementTree.Element, rel: str, href: str, type_: str, title: str = "") -> None:
    ElementTree.SubElement(
        parent, "link", {"rel": rel, "href": href, "type": type_} | ({"title": title} if title else {})
    )


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _at(version: Version) -> datetime:
    assert version.published_at is not None, "only published versions stand in a chain"
    return version.published_at


def _updated(version: Version) -> datetime:
    return version.withdrawn_at or _at(version)


# -- JSON ------------------------------------------------------------------------------------------------------------


def _index(session: Session, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    url = settings.base_url
    return [
        {
            "slug": document.slug,
            "title": document.title,
            "kind": document.kind,
            "in_force": current.number if (current := store.in_force(session, document, at=now)) else None,
            "url": f"{url}/{document.slug}.json",
            "feed": f"{url}/{document.slug}/feed.atom",
            "versions": [f"{url}/{document.slug}/{v.number}.json" for v in store.chain(session, document.id)],
        }
        for document in store.documents(session)
    ]


def _version(
    session: Session, settings: Settings, slug: str, number: int | None, locale: str, now: datetime
) -> dict[str, Any]:
    document = store.document(session, slug)
    version = _wanted(session, document, number, now)
    body = store.body(session, version, locale)
    url = f"{settings.base_url}/{slug}/{version.number}"
    language = f"?locale={body.locale}"
    shown = shapes.version(session, document, version, now=now) | shapes.body(body)
    sections = [
        shapes.section(row)
        | {
            "path": row.path,
            "url": f"{url}{language}#{row.anchor}",
            "text": body.text[row.start : row.end],
        }
        for row in store.section_rows(session, body)
    ]
    return shown | {
        "kind": document.kind,
        "url": f"{url}{language}",
        "media_type": "text/markdown",
        "sections": sections,
    }


def _wanted(session: Session, document: Document, number: int | None, now: datetime) -> Version:
    """A published version; a draft is nobody's business yet."""
    if number is None:
        found = store.in_force(session, document, at=now)
    else:
        found = next((v for v in store.chain(session, document.id) if v.number == number), None)
    if found is None:
        which = "No version" if number is None else f"No version {number}"
        raise NotFound(f"{which} of {document.title} is {'in force yet' if number is None else 'published'}.")
    return found
