"""Legal minimums as dated data: what a change, a termination or a request must respect under a chosen regime."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from lifecycle.errors import InvalidInput, RuleRefused
from lifecycle.instants import add_business_days, add_calendar

# What a notice may be asked to hold, as people call it.
NEEDS = {
    "notice": "a notice to everyone concerned",
    "changes": "what changes",
    "reason": "the reason",
    "facts": "the facts",
    "grounds": "the clauses it rests on",
    "redress": "how to challenge it",
}
KINDS = (
    "change_notice",
    "change_needs",
    "termination_notice",
    "suspension_needs",
    "termination_needs",
    "exit_right",
    "cooling_off",
    "acknowledge",
    "answer",
    "answer_opt_out",
    "extension",
    "records",
    "redress",
)


@dataclass(frozen=True, slots=True)
class Provision:
    """One rule of a law, with its source: a period by the calendar, or what a notice must hold (keys of NEEDS)."""

    source: str
    valid_from: date
    valid_until: date | None = None
    days: int = 0
    months: int = 0
    business_days: int = 0
    from_notice: bool = False
    needs: tuple[str, ...] = ()

    def end(self, start: datetime, zone: ZoneInfo) -> datetime:
        """When the period that starts at `start` is over, on the calendar of `zone`; business days are Monday to
        Friday, for holidays differ from place to place.
        """
        return add_calendar(
            add_business_days(start, zone, self.business_days), zone, days=self.days, months=self.months
        )


@dataclass(frozen=True, slots=True)
class Regime:
    """The provisions of one law, by kind (KINDS)."""

    name: str
    title: str
    provisions: Mapping[str, tuple[Provision, ...]]

    def provision(self, kind: str, on: date) -> Provision | None:
        """What the law asks of this kind on that day, if anything."""
        dated = self.provisions.get(kind, ())
        valid = (p for p in dated if p.valid_from <= on and (p.valid_until is None or on < p.valid_until))
        return next(valid, None)


@cache
def regimes() -> dict[str, Regime]:
    """All regimes that ship with Assent, by name."""
    data = tomllib.loads(files("lifecycle").joinpath("regimes.toml").read_text("utf-8"))
    return {name: Regime(name, facts.pop("title"), _provisions(facts)) for name, facts in data.items()}


def _provisions(facts: Mapping[str, list[dict[str, object]]]) -> dict[str, tuple[Provision, ...]]:
    return {
        kind: tuple(Provision(**{**entry, "needs": tuple(entry.get("needs", ()))}) for entry in entries)  # type: ignore[arg-type]
        for kind, entries in facts.items()
    }


def regime(name: str) -> Regime:
    """The regime; raises InvalidInput that lists the known ones."""
    try:
        return regimes()[name]
    except KeyError:
        raise InvalidInput(f"Regime {name!r} is not known. Known: {', '.join(regimes())}.") from None


def require_change(name: str, notice_days: int, given: Mapping[str, bool], *, on: date, override_reason: str) -> None:
    """Raises RuleRefused when the announcement of a change falls short of the regime, unless overridden.

    `notice_days` lie between notice and effect; `given` says by NEEDS what the announcement holds.
    """
    _require(regime(name), "change_notice", "change_needs", notice_days, given, on, override_reason)


def require_termination(
    name: str,
    notice_days: int,
    given: Mapping[str, bool],
    *,
    on: date,
    override_reason: str,
    limited: bool = False,
    emergency: bool = False,
) -> None:
    """Raises RuleRefused when the notice of a termination falls short of the regime, unless overridden.

    A `limited` one (a suspension with an end, or of a part) asks for no notice period, and an `emergency` cannot.
    """
    notice = "" if limited or emergency else "termination_notice"
    needs = "suspension_needs" if limited else "termination_needs"
    _require(regime(name), notice, needs, notice_days, given, on, override_reason)


def _require(
    rule: Regime,
    notice: str,
    needs: str,
    notice_days: int,
    given: Mapping[str, bool],
    on: date,
    override_reason: str,
) -> None:
    missing: dict[str, list[str]] = {}
    if (needed := rule.provision(needs, on)) is not None:
        missing[needed.source] = [NEEDS[need] for need in needed.needs if not given[need]]
    if (period := rule.provision(notice, on)) is not None and notice_days < period.days:
        missing.setdefault(period.source, []).append(f"{period.days} days of notice (here {notice_days})")
    short = "; ".join(f"{', '.join(what)} ({source})" for source, what in missing.items() if what)
    if short and not override_reason.strip():
        raise RuleRefused(f"{rule.title} asks for: {short}. Add it or give an override reason.")
