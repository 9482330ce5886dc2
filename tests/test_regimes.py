"""Dated legal minimums: each with its source, each refusal with what is missing, each override with a reason."""

import pytest

from lifecycle import regimes
from lifecycle.errors import InvalidInput, RuleRefused

NOTHING = {"reason": True, "facts": False, "grounds": False, "redress": False}
EVERYTHING = dict.fromkeys(NOTHING, True)


def test_every_regime_names_its_source_and_asks_only_for_what_a_termination_can_hold() -> None:
    for name, rule in regimes.regimes().items():
        assert rule.name == name
        assert rule.title
        assert rule.source
        assert set(rule.termination_needs) <= set(EVERYTHING)


def test_the_operators_own_text_asks_for_nothing_more() -> None:
    regimes.require_change_notice("contract", 0, override_reason="")
    regimes.require_termination("contract", 0, NOTHING, override_reason="")


@pytest.mark.parametrize("call", [regimes.require_change_notice, regimes.require_termination, regimes.regime])
def test_an_unknown_regime_is_answered_with_the_known_ones(call) -> None:
    given = {regimes.require_change_notice: (0,), regimes.require_termination: (0, NOTHING)}.get(call, ())
    override = {} if call is regimes.regime else {"override_reason": "an override does not make it known"}
    with pytest.raises(InvalidInput, match=r"Regime 'moon' is not known\. Known: contract, eu-p2b, eu-dsa-17"):
        call("moon", *given, **override)


def test_a_change_on_shorter_notice_than_the_regime_asks_is_refused_with_the_source() -> None:
    regimes.require_change_notice("eu-p2b", 15, override_reason="")
    with pytest.raises(RuleRefused, match=r"asks for 15 days between notice and effect, here 14 .*2019/1150"):
        regimes.require_change_notice("eu-p2b", 14, override_reason="")


def test_a_termination_says_all_that_is_missing_at_once() -> None:
    with pytest.raises(RuleRefused, match=r"asks for: facts, grounds, redress \(Regulation \(EU\) 2022/2065"):
        regimes.require_termination("eu-dsa-17", 0, NOTHING, override_reason="")
    with pytest.raises(RuleRefused, match=r"asks for: 30 days of notice \(here 29\)"):
        regimes.require_termination("eu-p2b", 29, EVERYTHING, override_reason="")


def test_what_meets_the_regime_passes() -> None:
    regimes.require_termination("eu-dsa-17", 0, EVERYTHING, override_reason="")
    regimes.require_termination("eu-p2b", 30, NOTHING, override_reason="")


def test_a_reason_overrides_the_regime() -> None:
    regimes.require_change_notice("eu-p2b", 0, override_reason="a court order")
    regimes.require_termination("eu-dsa-17", 0, NOTHING, override_reason="a court order")
