"""The tokens keep the promises of the design: contrast, glyphs, weights, and one switch for everything."""

import pytest
from PySide6.QtGui import QColor, QFontMetricsF, QPalette, QRawFont
from PySide6.QtWidgets import QApplication

from gpt_studio.core.paths import resources
from gpt_studio.gui import theme
from gpt_studio.gui.theme import DARK, LIGHT, Theme, contrast, font, look


@pytest.fixture(autouse=True)
def dark(qapp: QApplication):
    look.apply(DARK)
    yield
    look.apply(DARK)


def ratio(theme: Theme, ink: str, ground: str) -> float:
    return contrast(QColor(getattr(theme, ink)), QColor(getattr(theme, ground)))


@pytest.mark.parametrize(
    ("ink", "ground", "in_dark", "in_light"),
    [
        ("text", "canvas", 16.4, 16.6),
        ("text", "panel", 15.7, 17.9),
        ("text", "card", 14.9, 17.9),
        ("text2", "canvas", 8.8, 6.7),
        ("text2", "panel", 8.5, 7.3),
        ("text2", "card", 8.0, 7.3),
        ("text3", "canvas", 6.0, 4.9),
        ("text3", "panel", 5.7, 5.3),
        ("text3", "card", 5.4, 5.3),
        ("text3", "input", 5.1, 4.9),
        ("text3", "hover", 4.6, 4.6),
        ("accent", "panel", 6.7, 6.2),
        ("accent", "hover", 5.4, 5.3),
        ("white", "fill", 5.0, 6.2),
        ("white", "fillhover", 4.9, 7.5),
        ("white", "fillpress", 6.3, 8.8),
        ("weaktext", "weak", 8.5, 6.6),
        ("warn", "panel", 9.9, 5.7),
        ("warn", "warnbg", 8.5, 5.2),
        ("bad", "panel", 7.6, 5.5),
        ("bad", "badbg", 6.8, 4.9),
        ("ok", "panel", 8.6, 5.4),
        ("ok", "okbg", 7.3, 4.8),
        ("text2", "badbg", 7.6, 6.4),
        ("text2", "warnbg", 7.2, 6.6),
    ],
)
def test_text_contrast_is_that_of_the_design(ink, ground, in_dark, in_light):
    assert ratio(DARK, ink, ground) == pytest.approx(in_dark, abs=0.06)
    assert ratio(LIGHT, ink, ground) == pytest.approx(in_light, abs=0.06)
    assert min(ratio(DARK, ink, ground), ratio(LIGHT, ink, ground)) >= 4.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
def test_shapes_and_series_are_visible(theme):
    assert ratio(theme, "control", "panel") >= 3
    assert ratio(theme, "control", "card") >= 3
    assert len(theme.series) == len(set(theme.series)) == 6
    for ground in (theme.card, theme.canvas):
        assert all(contrast(QColor(value), QColor(ground)) >= 4.5 for value in theme.series)


@pytest.mark.parametrize("chosen", [DARK, LIGHT], ids=lambda t: t.name)
def test_sequential_map_is_monotone_and_its_text_readable(chosen):
    look.apply(chosen)
    shades = [theme.ramp(i / 50) for i in range(51)]
    brightness = [contrast(shade, QColor("#000000")) for shade in shades]
    assert brightness == sorted(brightness, reverse=not chosen.dark)
    assert shades[0] == QColor(chosen.ramp[0][1])
    assert shades[50] == QColor(chosen.ramp[-1][1])
    assert all(contrast(theme.ramp_text(i / 50), theme.ramp(i / 50)) >= 4.5 for i in range(51))


def test_surprise_tints_only_what_was_unlikely():
    assert theme.surprise(1.0) is None
    assert theme.surprise(0.66) is None
    weak, strong = theme.surprise(0.5), theme.surprise(0.0)
    assert weak
    assert strong
    assert weak.alphaF() < strong.alphaF() == pytest.approx(0.7 * 0.62, abs=0.01)


def test_inter_has_every_sign_the_interface_writes():
    inter = QRawFont.fromFont(font(13))
    assert inter.familyName().startswith("Inter")
    for sign in "\u202f−·…—–×±↑↓→≤“”’":
        assert inter.supportsCharacter(ord(sign)), f"U+{ord(sign):04X}"


def test_mono_has_the_sign_for_a_space():
    mono = QRawFont.fromFont(font(13, mono=True))
    assert mono.familyName().startswith("JetBrains Mono")
    assert mono.supportsCharacter(ord("·"))


def test_weights_are_real_and_figures_align():
    light, strong = (QFontMetricsF(font(40, weight)) for weight in (400, 600))
    assert strong.horizontalAdvance("Training") > light.horizontalAdvance("Training")
    tabular = QFontMetricsF(font(40, tabular=True))
    assert tabular.horizontalAdvance("1111") == pytest.approx(tabular.horizontalAdvance("8888"))
    assert light.horizontalAdvance("1111") < light.horizontalAdvance("8888")


def test_interface_size_scales_lengths_and_fonts_within_bounds():
    look.apply(DARK, 1.5)
    assert look.px(30) == 45
    assert font(12).pixelSize() == 18
    look.apply(DARK, 9)
    assert look.scale == 1.5
    look.apply(DARK, 0.1)
    assert look.scale == 0.8


def test_switching_reaches_palette_style_sheet_and_followers(qapp):
    seen = []
    look.changed.connect(lambda: seen.append((look.theme, qapp.palette().color(QPalette.ColorRole.Text))))
    look.apply(LIGHT)
    assert seen == [(LIGHT, QColor(LIGHT.text))]
    assert LIGHT.raised in qapp.styleSheet()
    assert DARK.text not in qapp.styleSheet()
    disabled = qapp.palette().color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
    assert disabled == QColor(LIGHT.disabled)


def test_style_sheet_names_no_font(qapp):
    assert "font" not in qapp.styleSheet()


@pytest.mark.parametrize("name", sorted(path.stem for path in (resources() / "icons").glob("*.svg")))
def test_every_icon_draws_in_the_asked_color(qapp, name):
    picture = theme.pixmap(name, "bad", size=32).toImage()
    inks = {
        picture.pixelColor(x, y).name()
        for x in range(32)
        for y in range(32)
        if picture.pixelColor(x, y).alpha() == 255
    }
    assert inks == {DARK.bad.lower()}


def test_icons_have_a_disabled_form_and_sharp_sizes(qapp):
    made = theme.icon("save")
    assert {size.width() for size in made.availableSizes()} >= {16}
    sharp = theme.pixmap("save", ratio=2.0)
    assert (sharp.width(), sharp.devicePixelRatio()) == (32, 2.0)
