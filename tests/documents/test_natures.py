"""What a change is made of: each name is right only when, without what it names, both texts say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.documents.natures import Nature, natures

POLICY = """[Home](/) [Blog](/blog)

# Privacy Policy

Last updated: 1 May 2024

We collect the pages you visit and keep them for two years, see [the list](https://a.example/list).

- We share them with nobody at all, unless a court orders us to.
- We delete them when you ask us to, in any language you like.

[Facebook](https://f.example) [Imprint](/imprint)

© 2024 Acme
"""


def of(old: str, new: str) -> set[Nature]:
    return set(natures(old, new))


@pytest.mark.parametrize(
    ("was", "now", "nature"),
    [
        ("# Privacy Policy", "Privacy Policy\n==============", Nature.FORMATTING),
        ("the pages you visit", "the **pages** you visit", Nature.FORMATTING),
        ("- We", "* We", Nature.FORMATTING),
        ("two years, see", "two years,\nsee", Nature.FORMATTING),
        ("1 May", "1\u00a0May", Nature.FORMATTING),
        ("https://a.example/list", "https://b.example/list", Nature.LINKS),
        ("[the list](https://a.example/list)", "the list", Nature.LINKS),
        ("1 May 2024", "12 June 2025", Nature.DATE),
        ("1 May 2024", "2024-06-12", Nature.DATE),
        ("[Home](/) [Blog](/blog)", "[Home](/) [Shop](/shop) [Careers](/careers)", Nature.FURNITURE),
        ("[Facebook](https://f.example) [Imprint](/imprint)", "[Imprint](/imprint)", Nature.FURNITURE),
        ("© 2024 Acme", "© 2025 Acme", Nature.FURNITURE),
        ("# Privacy Policy", "Accept all cookies\n\n# Privacy Policy", Nature.FURNITURE),
        ("[Home]", "---\nlayout: sheet\ntopics:\n  - legal\n---\n[Home]", Nature.FURNITURE),
        ("two years", "three years", Nature.WORDS),
        ("nobody at all, unless", "nobody at all unless", Nature.WORDS),
        ("We delete them", "We never delete them", Nature.WORDS),
        ("for two years", "until 1 May 2024", Nature.WORDS),
    ],
)
def test_each_kind_of_change_has_its_name(was: str, now: str, nature: Nature):
    assert was in POLICY
    assert of(POLICY, POLICY.replace(was, now)) == {nature}
    assert of(POLICY.replace(was, now), POLICY) == {nature}


def test_list_items_in_another_order_are_reordered_only():
    one, other = (line for line in POLICY.splitlines(keepends=True) if line.startswith("- "))
    assert of(POLICY, POLICY.replace(one + other, other + one)) == {Nature.ORDER}


def test_the_same_text_has_no_natures():
    assert of(POLICY, POLICY) == set()


def test_several_kinds_are_all_named():
    new = POLICY.replace("1 May 2024", "2 June 2025").replace("© 2024", "© 2025").replace("a.example", "b.example")
    assert of(POLICY, new) == {Nature.DATE, Nature.FURNITURE, Nature.LINKS}


def test_a_date_within_a_clause_is_no_printed_date():
    clause = "Orders placed before {} keep the price that was shown when they were placed, whatever changes after it."
    assert of(clause.format("1 May 2024"), clause.format("1 May 2025")) == {Nature.WORDS}


def test_a_list_of_links_within_the_text_is_no_furniture():
    vendors = POLICY.replace("- We delete", "- [Acme Analytics](https://x.example)\n- We delete")
    assert of(POLICY, vendors) == {Nature.WORDS}


def test_a_date_without_names_of_months_is_a_date_too():
    line = "# 通知\n\n発効日 {}\n\n本文はそのままです。\n"
    assert of(line.format("2025 年 12 月 17 日"), line.format("2026 年 5 月 4 日")) == {Nature.DATE}


@given(st.text(), st.text())
def test_any_two_texts_have_natures_unless_they_are_the_same(old: str, new: str):
    assert (natures(old, new) == frozenset()) == (old == new)
