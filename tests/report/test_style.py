"""Colours that can be read: the contrast of every pair that is used, light, dark and on paper (WCAG 2.2, AA)."""

import re

import pytest

from common.report.style import STYLE

SCHEMES = [dict(re.findall(r"--(\w+):(#[0-9a-f]{6}|#fff|#000|#[0-9a-f]{3})\b", root)) for root in
           re.findall(r":root\{([^}]*)\}", STYLE)]  # fmt: skip


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)


def test_there_are_three_schemes() -> None:
    assert len(SCHEMES) == 3


@pytest.mark.parametrize("scheme", SCHEMES, ids=["light", "dark", "paper"])
def test_words_and_lines_stand_out_from_what_they_lie_on(scheme: dict[str, str]) -> None:
    paper = scheme["paper"]
    words = {name: contrast(scheme[name], paper) for name in ("ink", "soft", "alert")}
    marks = {name: contrast(scheme[name], paper) for name in ("real", "held", "third", "gain", "loss")}
    assert {name: ratio for name, ratio in words.items() if ratio < 4.5} == {}
    assert {name: ratio for name, ratio in marks.items() if ratio < 3} == {}
