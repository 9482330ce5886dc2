"""Texts made to break out of what they are: every case is its number's, so a failure can be made again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import urlsplit

import html5lib

from lifecycle.web.markup import ATTRIBUTES, SCHEMES, TAGS

PARTS = """<script>alert(1)</script>¦<img src=x onerror=alert(1)>¦[x](javascript:alert(1))¦[x](JaVaScRiPt&#58;alert(1))
[x](java\tscript:alert(1))¦[x](\x01javascript:x)¦[x](data:text/html;base64,PHN2Zz4=)
![x](data:image/svg+xml,<svg/onload=x>)¦[x](vbscript:x "t\\" onmouseover=x")¦[x](<javascript:x>)
[x]: javascript:x¦[x][x]¦<javascript:x>¦<https://x.example/"onclick=x>¦<a href="javascript:x">y</a>
<svg onload=x>¦<iframe src=//evil.example>¦<math><mtext></p><style><img src=x onerror=x>
<style>*{background:url(//evil)}</style>¦<!--><script>x</script>-->¦<![CDATA[<script>]]>¦<?php x ?>
</section></article>¦<section id=top>¦<b id=x class=y style=z>¦<form><input autofocus onfocus=x>¦{{ 7*7 }}
{% include "x" %}¦{# x #}¦${x}¦&lt;script&gt;¦&#60;script&#62;¦&#x3c;script>¦&NewLine;¦&colon;¦\\<script>
`<script>`¦```<script>¦~~~ "onclick=x¦# <script>¦## [h](javascript:x)¦# x {: #"onclick=x }¦# x {#a}¦> ¦> > > ¦- ¦a
1. ¦* * * ¦\t¦| <svg> | b |¦|-|-|¦| :-: |¦[^1]¦[^1]: <script>¦[^<b>]: x¦^[x](javascript:x)¦Term¦: <script>
: [d](data:x)¦**¦__¦*¦_¦~~¦`¦[¦](¦)¦![¦<¦>¦"¦'¦&¦\u202e¦\u2066¦\u200f¦\x00¦\x1b[31m¦\x08¦\x0c¦\x85¦\u2028¦\ufeff
\ufffe¦\U000e0001¦word¦Ünïcödé¦日本¦שלום¦https://x.example¦(https://x.example/?a=b&c=<d>)¦mailto:a@b.example
//evil.example¦1.1 A¦**Bold**¦§ 7 <b>""".replace("\n", "¦").split("¦")
PARTS += ["\\", "\n", "\n\n", "\r\n", "\r", "  \n", " ", "    "]


def text(number: int) -> str:
    """The hostile text of that number."""
    chance = random.Random(number)
    parts = chance.choices(PARTS, k=chance.choice((1, 3, 8, 20, 60)))
    ends = chance.choice((["\n", "\n\n", " "], [""], ["\n"], ["\n\n"]))
    made = "".join(part + chance.choice(ends) for part in parts)
    if chance.random() < 0.3 and made:  # cut in the middle of something
        made = made[chance.randrange(len(made)) :] + made[: chance.randrange(len(made))]
    return made


def outside_the_list(html: str) -> Iterator[str]:
    """What an HTML5 parser finds in a fragment that the allow list does not name."""
    for element in html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False).iter():
        name = str(element.tag)
        if name == "DOCUMENT_FRAGMENT":
            continue
        if name not in TAGS:
            yield f"<{name}>"
        for attribute, value in element.attrib.items():
            if attribute not in ATTRIBUTES.get(name, set()) | ({"rel"} if name == "a" else set()):
                yield f"<{name} {attribute}>"
            if attribute == "href" and urlsplit(value.strip()).scheme.lower() not in SCHEMES | {""}:
                yield value
