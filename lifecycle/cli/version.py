"""`assent version …`: drafting, rehearsing, publishing and withdrawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session, select

from lifecycle import shapes
from lifecycle.cli import rehearsing
from lifecycle.cli.desk import INSTANT_HELP, Desk, open_desk, read_file
from lifecycle.cli.output import (
    JsonFlag,
    YesFlag,
    confirm,
    print_json,
    print_line,
    print_note,
    spoken,
)
from lifecycle.documents import dates, publishing, store, texts
from lifecycle.documents.dates import DateKind, TextDate
from lifecycle.documents.publishing import Publication
from lifecycle.documents.source_files import SourceFile, read_source
from lifecycle.errors import InvalidInput
from lifecycle.models import Document
from lifecycle.states import DocumentKind, Mode, OnObjection

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Slug = Annotated[str, typer.Argument(help="The document, such as privacy-policy.")]
AllowLoss = Annotated[
    bool, typer.Option("--allow-loss", help="The text does lack most words of the version before it.")
]
Number = Annotated[int, typer.Argument(help="The version's number.")]


@app.command()
def draft(
    slug: Slug,
    files: Annotated[list[Path], typer.Argument(help="One Markdown file for each language, such as terms.de.md.")],
    title: Annotated[str, typer.Option("--title", help="Title of a document that is new.")] = "",
    kind: Annotated[DocumentKind | None, typer.Option("--kind", help="Kind of a document that is new.")] = None,
    locale: Annotated[str, typer.Option("--locale", help="Language of a single file whose name says none.")] = "",
    survives: Annotated[
        list[str] | None,
        typer.Option("--survives", help="A section that still binds after termination; repeatable."),
    ] = None,
    allow_loss: AllowLoss = False,
    as_json: JsonFlag = False,
) -> None:
    """Store a new, unpublished version, one file a language."""
    if locale and len(files) > 1:
        raise typer.BadParameter("is for a single file; name the others like terms.de.md.", param_hint="--locale")
    with open_desk() as desk:
        sources = [_read(path, locale, desk) for path in files]
        found = desk.database.run(_draft, slug, sources, title, kind, survives or [], allow_loss, desk)
    dated = {source.locale: dates.text_dates(source.text, locale=source.locale) for source in sources}
    if as_json:
        told = [asdict(one) | {"locale": locale, "on": one.on and one.on.isoformat()} for locale, one in _each(dated)]
        return print_json(found | {"text_dates": told})
    print_line(f"Drafted version {found['version']} of {slug} ({', '.join(found['texts'])}).")
    for locale, one in _each(dated):
        print_note(f"The {locale} text says: {one.line} ({one.on or 'not to be read for certain'})")
    return print_note(f"Next: assent version rehearse {slug} {found['version']} --mode MODE{_effective(dated, desk)}")


def _each(dated: Mapping[str, Sequence[TextDate]]) -> list[tuple[str, TextDate]]:
    return [(locale, one) for locale, found in dated.items() for one in found[:2]]


def _effective(dated: Mapping[str, Sequence[TextDate]], desk: Desk) -> str:
    """The option for the day from which the texts say that they bind, if they name one that is to come."""
    days = {one.on for _, one in _each(dated) if one.kind is DateKind.EFFECTIVE and one.on}
    coming = {day for day in days if day > desk.now.astimezone(desk.zone).date()}
    return f" --effective-at {coming.pop()}" if len(coming) == 1 == len(days) else ""


def _read(path: Path, locale: str, desk: Desk) -> SourceFile:
    default = locale or desk.settings.default_locale
    source = read_source(read_file(path), path.name, locale=default, zone=desk.zone, now=desk.now)
    return replace(source, locale=texts.check_locale(locale)) if locale else source


def _draft(
    session: Session,
    slug: str,
    sources: Sequence[SourceFile],
    title: str,
    kind: DocumentKind | None,
    survives: Sequence[str],
    allow_loss: bool,
    desk: Desk,
) -> shapes.Shape:
    locales = [source.locale for source in sources]
    if len(set(locales)) < len(locales):
        raise InvalidInput(f"Two files are in the same language: {', '.join(locales)}. Name them like terms.de.md.")
    document = _document(session, slug, title, kind, locales[0], desk)
    surviving = [*survives, *(reference for source in sources for reference in source.survives)]
    version = store.draft_version(
        session,
        document,
        {source.locale: source.text for source in sources},
        titles={source.locale: source.title for source in sources},
        changelogs={source.locale: source.changelog for source in sources},
        surviving=surviving,
        allow_loss=allow_loss,
        now=desk.now,
    )
    return shapes.version(session, document, version, now=desk.now)


def _document(session: Session, slug: str, title: str, kind: DocumentKind | None, locale: str, desk: Desk) -> Document:
    known = session.exec(select(Document).where(Document.slug == slug)).first()
    if known is not None or not (title or kind):
        return store.document(session, slug)
    return store.create_document(
        session, slug, title=title or slug, kind=kind or DocumentKind.OTHER, default_locale=locale, now=desk.now
    )


ModeOption = Annotated[Mode, typer.Option("--mode", help="How it comes to bind.")]
EffectiveAt = Annotated[str | None, typer.Option("--effective-at", help=f"When it comes in force: {INSTANT_HELP}.")]
NoticeDays = Annotated[int, typer.Option("--notice-days", help="Calendar days between publication and effect.")]
DeadlineDays = Annotated[int, typer.Option("--deadline-days", help="Calendar days to accept or to object.")]
Changelog = Annotated[list[str] | None, typer.Option("--change", help="A line of what changed; repeatable.")]
NoNotify = Annotated[bool, typer.Option("--no-notify", help="Tell nobody.")]
NotifyAt = Annotated[str | None, typer.Option("--notify-at", help=f"When telling users begins: {INSTANT_HELP}.")]
RegimeName = Annotated[str, typer.Option("--regime", help="The legal minimums to respect.")]
OverrideReason = Annotated[str, typer.Option("--override-reason", help="Why the regime's minimums do not apply.")]


@app.command()
def rehearse(
    slug: Slug,
    number: Number,
    mode: ModeOption,
    effective_at: EffectiveAt = None,
    notice_days: NoticeDays = 0,
    deadline_days: DeadlineDays = 0,
    change: Changelog = None,
    no_notify: NoNotify = False,
    notify_at: NotifyAt = None,
    regime: RegimeName = "contract",
    override_reason: OverrideReason = "",
    allow_loss: AllowLoss = False,
    show: Annotated[str | None, typer.Option("--show", help="Print the notice that this user would get.")] = None,
    test_to: Annotated[str | None, typer.Option("--test-to", help="Send a marked test mail to this address.")] = None,
    unreachable: Annotated[bool, typer.Option("--unreachable", help="List everyone who would not be told.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say what publishing would do: whom it tells, whom it cannot reach, until when the mail takes.

    Nothing is published. With --show and --test-to, the test mail is in that user's language and zone.
    """
    with open_desk() as desk:
        publication = Publication(
            mode,
            desk.when(effective_at, "--effective-at"),
            notice_days,
            deadline_days,
            tuple(change or ()),
            not no_notify,
            desk.when(notify_at, "--notify-at"),
            regime,
            override_reason,
            allow_loss,
        )
        wanted = rehearsing.Rehearsed(desk, slug, number, publication)
        if test_to is not None:
            return rehearsing.send_test(wanted, test_to, like=show, as_json=as_json)
        if show is not None:
            return rehearsing.show_mail(wanted, show, as_json=as_json)
        if unreachable:
            return rehearsing.list_unreachable(desk, as_json=as_json)
        return rehearsing.rehearse(wanted, as_json=as_json)


@app.command()
def publish(
    slug: Slug,
    number: Number,
    mode: ModeOption,
    effective_at: EffectiveAt = None,
    notice_days: NoticeDays = 0,
    deadline_days: DeadlineDays = 0,
    change: Changelog = None,
    no_notify: NoNotify = False,
    notify_at: NotifyAt = None,
    regime: RegimeName = "contract",
    override_reason: OverrideReason = "",
    allow_loss: AllowLoss = False,
    on_objection: Annotated[
        OnObjection, typer.Option("--on-objection", help="What follows when a user objects (mode silence).")
    ] = OnObjection.KEEP,
    objection_notice_days: Annotated[
        int, typer.Option("--objection-notice-days", help="With terminate: calendar days of its notice.")
    ] = 30,
    as_json: JsonFlag = False,
) -> None:
    """Publish a version, once, and begin telling users about it."""
    with open_desk() as desk:
        publication = Publication(
            mode,
            desk.when(effective_at, "--effective-at"),
            notice_days,
            deadline_days,
            tuple(change or ()),
            not no_notify,
            desk.when(notify_at, "--notify-at"),
            regime,
            override_reason,
            allow_loss,
            on_objection,
            objection_notice_days,
        )
        found = desk.database.run(_publish, slug, number, publication, desk)
    if as_json:
        return print_json(found)
    print_line(f"Published version {number} of {slug}; in force from {spoken(found['effective_at'], desk.zone)}.")
    if publication.notify and mode is not Mode.EDITORIAL:
        print_note(f"Users are told while `assent serve` runs. Watch it: assent rollout show {slug} {number} --watch")
    return None


def _publish(session: Session, slug: str, number: int, publication: Publication, desk: Desk) -> shapes.Shape:
    document = store.document(session, slug)
    version = store.version(session, document, number)
    per_hour = desk.settings.relay_per_hour
    publishing.publish(session, version, publication, zone=desk.zone, per_hour=per_hour, now=desk.now)
    return shapes.version(session, document, version, now=desk.now)


@app.command()
def withdraw(
    slug: Slug,
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is shown wherever the version is.")],
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Take a published version back from now on; what it bound until now stays on record."""
    confirm(f"Version {number} of {slug} will be withdrawn, and its waiting notices cancelled.", yes=yes)
    with open_desk() as desk:
        found = desk.database.run(_withdraw, slug, number, reason, desk)
    if as_json:
        return print_json(found)
    return print_line(f"Withdrew version {number} of {slug}.")


def _withdraw(session: Session, slug: str, number: int, reason: str, desk: Desk) -> shapes.Shape:
    document = store.document(session, slug)
    version = store.version(session, document, number)
    publishing.withdraw(session, version, reason=reason, now=desk.now)
    return shapes.version(session, document, version, now=desk.now)
