"""`assent template …`: the templates of notices, tried before anyone gets one."""

from __future__ import annotations

from typing import Annotated

import typer

from lifecycle import users
from lifecycle.cli.desk import open_desk
from lifecycle.cli.output import JsonFlag, clean, print_json, print_line
from lifecycle.errors import InvalidInput
from lifecycle.models import User
from lifecycle.notices import preview as previews
from lifecycle.notices import samples
from lifecycle.notices.rendering import renderer
from lifecycle.settings import load_settings
from lifecycle.states import TEMPLATED, Channel, Purpose

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def check(
    purposes: Annotated[
        list[Purpose] | None, typer.Argument(metavar="[PURPOSE]...", help="What the notices are for; all if left out.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Render every template, for mail and Discord, in every language, for an awkward cast of names and texts.

    The operator's own wording (ASSENT_WORDING_DIR) is checked too: nothing required left out, nothing that acts.
    """
    for purpose in purposes or ():
        _require_template(purpose)
    tried, faults = previews.check(renderer(load_settings().wording_dir), purposes or TEMPLATED)
    if as_json:
        print_json({"rendered": tried, "faults": faults})
    else:
        for fault in faults:
            print_line(fault)
        print_line(f"Notices rendered: {tried}; faults: {len(faults)}.")
    if faults:
        raise typer.Exit(1)


@app.command()
def preview(
    purpose: Annotated[Purpose, typer.Argument(help="What the notice is for.")],
    locale: Annotated[str, typer.Option("--locale", help="The language, such as de.")] = "",
    user: Annotated[str, typer.Option("--user", help="In the language, zone and name of this user.")] = "",
    channel: Annotated[Channel, typer.Option("--channel", help="How it is sent.")] = Channel.EMAIL,
    html: Annotated[bool, typer.Option("--html/--text", help="Which part of a mail.")] = False,
) -> None:
    """Print a mail or a Discord message with sample values."""
    if html and channel is not Channel.EMAIL:
        raise InvalidInput("Only mails have an HTML part: leave out --html or --channel.")
    _require_template(purpose)
    settings = load_settings()
    templates = renderer(settings.wording_dir)
    if locale and locale not in templates.locales():
        raise InvalidInput(f"There are no templates in {locale!r}. There are: {', '.join(templates.locales())}.")
    reader = _reader(user) if user else None
    chosen = locale or templates.locale_for(reader.locale if reader else "", settings.default_locale)
    zone = (reader.time_zone if reader else "") or settings.time_zone
    values = samples.sample(purpose, operator=settings.operator, locale=chosen, zone=zone)
    values |= {"external_id": user} if user else {}
    rendered = templates.render(purpose, values, locale=chosen, channel=channel)
    subject = f"**{rendered.subject}**" if channel is Channel.DISCORD else f"Subject: {rendered.subject}"
    typer.echo(rendered.html if html else clean(f"{subject}\n\n{rendered.text}"))


def _reader(external_id: str) -> User:
    with open_desk() as desk:
        return desk.database.read(users.user, external_id)


def _require_template(purpose: Purpose) -> None:
    if purpose not in TEMPLATED:
        raise InvalidInput(
            f"A {purpose.value} mail has the template of what it tries. There are: {', '.join(TEMPLATED)}."
        )
