"""Legal minimums as dated data: what a change or a termination must respect under a chosen regime."""

import tomllib
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files

from lifecycle.errors import InvalidInput, RuleRefused


@dataclass(frozen=True, slots=True)
class Regime:
    """Minimums of one law, with its source; periods in calendar days."""

    name: str
    title: str
    source: str
    valid_from: date
    change_notice_days: int = 0
    termination_notice_days: int = 0
    termination_needs: list[str] = field(default_factory=list)


@cache
def regimes() -> dict[str, Regime]:
    """All regimes that ship with Assent, by name."""
    data = tomllib.loads(files("lifecycle").joinpath("regimes.toml").read_text("utf-8"))
    return {name: Regime(name=name, **facts) for name, facts in data.items()}


def regime(name: str) -> Regime:
    """The regime; raises InvalidInput that lists the known ones."""
    try:
        return regimes()[name]
    except KeyError:
        raise InvalidInput(f"Regime {name!r} is not known. Known: {', '.join(regimes())}.") from None


def require_change_notice(name: str, notice_days: int, *, override_reason: str) -> None:
    """Raises RuleRefused when a change is announced on shorter notice than the regime asks, unless overridden."""
    rule = regime(name)
    if notice_days < rule.change_notice_days and not override_reason:
        raise RuleRefused(
            f"{rule.title} asks for {rule.change_notice_days} days between notice and effect, here {notice_days} "
            f"({rule.source}). Move the effective date or give an override reason."
        )


def require_termination(name: str, notice_days: int, given: dict[str, bool], *, override_reason: str) -> None:
    """Raises RuleRefused when notice or content falls short of the regime, unless overridden."""
    rule = regime(name)
    missing = [need for need in rule.termination_needs if not given[need]]
    if notice_days < rule.termination_notice_days:
        missing.append(f"{rule.termination_notice_days} days of notice (here {notice_days})")
    if missing and not override_reason:
        raise RuleRefused(
            f"{rule.title} asks for: {', '.join(missing)} ({rule.source}). Add it or give an override reason."
        )
