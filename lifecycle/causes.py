"""Why and how access ends, as it is put on record; and what a decision needs before it is one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from lifecycle import regimes
from lifecycle.errors import InvalidInput
from lifecycle.states import Emergency, Initiator

MAX_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Cause:
    """Why and how access ends. A user who leaves needs no reason.

    `grounds` are pairs of document slug and section (as printed, anchor or title).

    `scope` says what of the service ends, if not all of it; with `ends_at` it is a suspension. An emergency takes
    effect before its notice, which leaves at once: `override_reason` says why.
    """

    initiated_by: Initiator
    reason: str = ""
    grounds: Sequence[tuple[str, str]] = ()
    facts: str = ""
    automated: bool = False
    redress: str = ""
    regime: str = "contract"
    override_reason: str = ""
    scope: str = ""
    ends_at: datetime | None = None
    emergency: Emergency | None = None
    legal_ground: str = ""

    def facts_on_record(self) -> dict[str, Any]:
        """By column of a termination; the grounds are on record on their own."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "grounds"}


def check(
    cause: Cause,
    notice_days: int,
    *,
    notice_at: datetime | None,
    effective_at: datetime | None,
    zone: ZoneInfo,
    now: datetime,
) -> None:
    """Raises InvalidInput for what does not fit together or lies in the past, RuleRefused below the regime."""
    if not cause.reason.strip() and cause.initiated_by is not Initiator.USER:
        raise InvalidInput("Give the reason; it stands in the notice to the user.")
    _check_emergency(cause, notice_days, notice_at)
    if not 0 <= notice_days <= MAX_DAYS:
        raise InvalidInput(f"notice_days is {notice_days}; it must lie between 0 and {MAX_DAYS}.")
    for name, instant in (("notice_at", notice_at), ("effective_at", effective_at)):
        if instant is not None and instant < now:
            raise InvalidInput(
                f"{name} {instant.isoformat()} lies in the past (now {now.isoformat()}). Choose a later one."
            )
    if cause.initiated_by is Initiator.PROVIDER:
        _check_regime(cause, notice_days, zone, now)


def _check_regime(cause: Cause, notice_days: int, zone: ZoneInfo, now: datetime) -> None:
    given = {
        "reason": True,
        "facts": bool(cause.facts),
        "grounds": bool(cause.grounds or cause.legal_ground),
        "redress": bool(cause.redress),
    }
    regimes.require_termination(
        cause.regime,
        notice_days,
        given,
        on=now.astimezone(zone).date(),
        override_reason="" if cause.emergency else cause.override_reason,
        limited=bool(cause.scope) or cause.ends_at is not None,
        emergency=cause.emergency is not None,
    )


def _check_emergency(cause: Cause, notice_days: int, notice_at: datetime | None) -> None:
    if cause.emergency is None:
        return
    if cause.initiated_by is not Initiator.PROVIDER:
        raise InvalidInput(f"Only the provider ends access in an emergency, not the {cause.initiated_by.value}.")
    if notice_days or notice_at is not None:
        raise InvalidInput("An emergency takes effect before its notice, which leaves at once; give no notice period.")
    if not cause.override_reason.strip():
        raise InvalidInput("Give the override reason: why this emergency cannot wait for its notice. It is shown.")
