"""Dated legal minimums: each with its source, each refusal with what is missing, each override with a reason."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from lifecycle import regimes
from lifecycle.errors import InvalidInput, RuleRefused
from lifecycle.regimes import NEEDS, Provision, Regime

NOTHING = dict.fromkeys(NEEDS, False) | {"reason": True}
EVERYTHING = dict.fromkeys(NEEDS, True)
TODAY = date(2026, 3, 2)
BERLIN = ZoneInfo("Europe/Berlin")


def change(name: str, days: int, given=EVERYTHING, *, on=TODAY, override_reason="") -> None:
    regimes.require_change(name, days, given, on=on, override_reason=override_reason)


def terminate(name: str, days: int, given=EVERYTHING, *, on=TODAY, override_reason="", **what: bool) -> None:
    regimes.require_termination(name, days, given, on=on, override_reason=override_reason, **what)


def test_every_provision_is_of_a_known_kind_and_names_source_day_and_what_it_asks_for() -> None:
    assert set(regimes.regimes()) == {"contract", "eu-p2b", "eu-dsa-17", "eu-dcd-19", "eu-crd-9", "gdpr-12", "ccpa"}
    for name, rule in regimes.regimes().items():
        assert rule.name == name
        assert rule.title
        assert set(rule.provisions) <= set(regimes.KINDS)
        for provision in (p for dated in rule.provisions.values() for p in dated):
            assert provision.source
            assert set(provision.needs) <= set(NEEDS)
            assert provision.needs or provision.days or provision.months or provision.business_days
            assert provision.valid_until is None or provision.valid_from < provision.valid_until


def test_the_operators_own_text_asks_for_nothing_more() -> None:
    change("contract", 0, NOTHING)
    terminate("contract", 0, NOTHING)


def test_an_unknown_regime_is_answered_with_the_known_ones() -> None:
    for call in (change, terminate):
        with pytest.raises(InvalidInput, match=r"Regime 'moon' is not known\. Known: contract, eu-p2b, eu-dsa-17"):
            call("moon", 0, override_reason="an override does not make it known")


def test_a_change_on_shorter_notice_than_the_regime_asks_is_refused_with_rule_and_source() -> None:
    change("eu-p2b", 15)
    with pytest.raises(RuleRefused, match=r"15 days of notice \(here 14\) \(Regulation \(EU\) 2019/1150, Art"):
        change("eu-p2b", 14)


def test_a_change_that_does_not_say_what_changes_or_tells_nobody_is_refused() -> None:
    with pytest.raises(RuleRefused, match=r"a notice to everyone concerned, what changes \(Directive \(EU\) 2019/770"):
        change("eu-dcd-19", 0, NOTHING)
    change("eu-dcd-19", 0)


def test_a_termination_says_all_that_is_missing_at_once_each_with_its_source() -> None:
    with pytest.raises(RuleRefused, match=r"the facts, the clauses it rests on, how to challenge it \(Regulation"):
        terminate("eu-dsa-17", 0, NOTHING)
    with pytest.raises(RuleRefused, match=r"\(5\)\); 30 days of notice \(here 29\) \(.*Art\. 4\(2\)\)\."):
        terminate("eu-p2b", 29, NOTHING)


def test_what_meets_the_regime_passes() -> None:
    terminate("eu-dsa-17", 0)
    terminate("eu-p2b", 30)


def test_a_suspension_or_an_emergency_asks_for_no_notice_period_but_for_its_reasons() -> None:
    terminate("eu-p2b", 0, limited=True)
    terminate("eu-p2b", 0, emergency=True)
    for what in ({"limited": True}, {"emergency": True}):
        with pytest.raises(RuleRefused, match="the facts"):
            terminate("eu-p2b", 0, NOTHING, **what)


def test_a_reason_overrides_the_regime_and_blanks_are_none() -> None:
    change("eu-p2b", 0, NOTHING, override_reason="a court order")
    terminate("eu-dsa-17", 0, NOTHING, override_reason="a court order")
    with pytest.raises(RuleRefused):
        terminate("eu-dsa-17", 0, NOTHING, override_reason="  ")


def test_a_law_asks_for_nothing_before_its_day() -> None:
    terminate("eu-dsa-17", 0, NOTHING, on=date(2024, 2, 16))
    with pytest.raises(RuleRefused):
        terminate("eu-dsa-17", 0, NOTHING, on=date(2024, 2, 17))


def test_of_a_provision_that_was_replaced_the_one_of_the_day_counts() -> None:
    old = Provision("Art. 1", date(2020, 1, 1), valid_until=date(2026, 6, 1), days=15)
    new = Provision("Art. 1 as amended", date(2026, 6, 1), days=30)
    rule = Regime("moon", "Moon law", {"change_notice": (old, new)})
    found = [rule.provision("change_notice", date(2026, month, 1)) for month in (5, 6)]
    assert found == [old, new]
    assert rule.provision("change_notice", date(2019, 12, 31)) is None
    assert rule.provision("answer", TODAY) is None


@pytest.mark.parametrize(
    ("name", "kind", "start", "end"),
    [
        ("gdpr-12", "answer", "2026-01-31T12:00+01:00", "2026-02-28T12:00+01:00"),  # a month is a month
        ("gdpr-12", "answer", "2026-02-28T12:00+01:00", "2026-03-28T12:00+01:00"),
        ("gdpr-12", "answer", "2026-03-15T12:00+01:00", "2026-04-15T12:00+02:00"),  # across summer time
        ("ccpa", "acknowledge", "2026-03-06T09:00+01:00", "2026-03-20T09:00+01:00"),  # ten days, two weekends
        ("ccpa", "acknowledge", "2026-03-07T09:00+01:00", "2026-03-20T09:00+01:00"),
        ("ccpa", "answer", "2026-03-02T09:00+01:00", "2026-04-16T09:00+02:00"),
        ("ccpa", "records", "2024-02-29T09:00+01:00", "2026-02-28T09:00+01:00"),
    ],
)
def test_clocks_follow_the_calendar_of_the_operator(name: str, kind: str, start: str, end: str) -> None:
    provision = regimes.regime(name).provision(kind, TODAY)
    assert provision is not None
    begin = datetime.fromisoformat(start)
    assert provision.end(begin, BERLIN) == datetime.fromisoformat(end).astimezone(UTC)
