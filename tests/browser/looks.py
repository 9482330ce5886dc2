"""How a page looks, measured: contrast as WCAG 2.2 computes it, and whether it is wider than its window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

READABLE = 4.5
Colour = tuple[float, float, float, float]

# Every element with words of its own: its colour, what lies behind it from the canvas upwards, and its opacity.
PAINT = r"""
() => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.backgroundColor = "Canvas";
  const canvas = getComputedStyle(probe).backgroundColor;
  probe.remove();
  const paint = (element) => {
    const behind = [], words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) {
      behind.unshift(getComputedStyle(at).backgroundColor);
      opacity *= Number(getComputedStyle(at).opacity);
    }
    const text = words.map((node) => node.data).join(" ").trim(), colour = getComputedStyle(element).color;
    return {text, tag: element.localName, colour, behind: [canvas, ...behind], opacity};
  };
  return [...document.body.querySelectorAll("*")].map(paint).filter((found) => found.text);
}
"""


def faint_texts(page: Page) -> list[str]:
    """The texts of a page whose contrast is too low, each with its element and ratio."""
    painted: list[dict[str, Any]] = page.evaluate(PAINT)
    assert painted, "the page has words"
    judged = ((found, _contrast(found)) for found in painted)
    return [f"{found['tag']} {found['text'][:40]!r}: {ratio:.2f}" for found, ratio in judged if ratio < READABLE]


def sticks_out(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def _contrast(found: dict[str, Any]) -> float:
    back = (255.0, 255.0, 255.0, 1.0)
    for layer in found["behind"]:
        back = _over(_parsed(layer), back)
    red, green, blue, alpha = _parsed(found["colour"])
    front = _over((red, green, blue, alpha * found["opacity"]), back)
    darker, lighter = sorted((_luminance(front), _luminance(back)))
    return (lighter + 0.05) / (darker + 0.05)


def _parsed(colour: str) -> Colour:
    """What getComputedStyle gives: rgb(1, 2, 3) or rgba(1, 2, 3, 0.5)."""
    assert colour.startswith("rgb"), f"{colour!r} is in a form that is not read here"
    red, green, blue, *alpha = (float(part) for part in colour.partition("(")[2].rstrip(")").split(","))
    return red, green, blue, alpha[0] if alpha else 1.0


def _over(front: Colour, back: Colour) -> Colour:
    alpha = front[3]
    red, green, blue = (f * alpha + b * (1 - alpha) for f, b in zip(front[:3], back[:3], strict=True))
    return red, green, blue, 1.0


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        value / 255 / 12.92 if value / 255 <= 0.04045 else ((value / 255 + 0.055) / 1.055) ** 2.4
        for value in colour[:3]
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
