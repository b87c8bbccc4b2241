"""Design tokens and what follows from them: colors, fonts, icons.

Widgets and charts read roles ("text2", "card") from the one `look`, never literal colors, and follow it:
`follow(self.restyle)` calls `restyle` now and after every change of theme or interface size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import fontpkg_inter
import fontpkg_jetbrains_mono
from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from gpt_studio.core.paths import resources
from gpt_studio.gui.style_sheet import palette, style_sheet


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Every color role of one theme, as "#RRGGBB"."""

    name: str
    dark: bool
    # surfaces
    canvas: str
    panel: str
    card: str
    raised: str
    input: str
    hover: str
    well: str  # track of a segmented control
    chip: str  # its checked segment
    # lines and shapes
    border: str
    border2: str
    control: str
    rail: str  # the empty part of sliders and progress bars
    muted: str  # sliders that cannot be moved
    # text
    text: str
    text2: str
    text3: str
    disabled: str
    # the accent
    accent: str
    fill: str
    fillhover: str
    fillpress: str
    weak: str
    weaktext: str
    white: str = "#FFFFFF"  # on fill
    # states
    ok: str
    okbg: str
    warn: str
    warnbg: str
    bad: str
    badbg: str
    badline: str
    # data: six categorical colors in fixed order, one sequential map as (position, color)
    series: tuple[str, ...]
    shades: tuple[str, ...]  # two grays beside that of the sixth color
    ramp: tuple[tuple[float, str], ...]
    preview_alpha: float


DARK = Theme(
    name="Dark",
    dark=True,
    canvas="#0E0F12",
    panel="#131418",
    card="#181A1F",
    raised="#1F2127",
    input="#1E2026",
    hover="#25282F",
    well="#0F1013",
    chip="#2A2D35",
    border="#24272D",
    border2="#3A3E48",
    control="#6E7480",
    rail="#3A3E48",
    muted="#565B66",
    text="#ECEDF0",
    text2="#ABB0BA",
    text3="#8A909C",
    disabled="#5C616B",
    accent="#7C96FF",
    fill="#4263EB",
    fillhover="#4766E8",
    fillpress="#3654CF",
    weak="#1D2340",
    weaktext="#AEBEFF",
    ok="#56C596",
    okbg="#14271F",
    warn="#F0B44C",
    warnbg="#2A2214",
    bad="#FF7F8A",
    badbg="#2C1A1E",
    badline="#5B2A32",
    series=("#7C96FF", "#F2A65A", "#5FDDB0", "#D0647F", "#E6BDF8", "#A6A9B0"),
    shades=("#DDDFE3", "#6E7480"),
    ramp=((0.0, "#191B21"), (0.25, "#232C55"), (0.55, "#3F5BC8"), (0.8, "#8AA0FF"), (1.0, "#EEF1FF")),
    preview_alpha=0.20,
)

LIGHT = Theme(
    name="Light",
    dark=False,
    canvas="#F5F6F8",
    panel="#FFFFFF",
    card="#FFFFFF",
    raised="#FFFFFF",
    input="#F4F5F7",
    hover="#ECEEF2",
    well="#F0F2F5",
    chip="#FFFFFF",
    border="#E4E7EB",
    border2="#C9CED6",
    control="#7A818C",
    rail="#DDE1E7",
    muted="#B6BCC5",
    text="#15171C",
    text2="#505762",
    text3="#656C78",
    disabled="#A2A8B3",
    accent="#3355D6",
    fill="#3355D6",
    fillhover="#2A49C0",
    fillpress="#2340AB",
    weak="#E9EDFD",
    weaktext="#2A47BD",
    ok="#0B7A50",
    okbg="#E6F5EE",
    warn="#8F5B00",
    warnbg="#FDF3DF",
    bad="#C32F3F",
    badbg="#FDECEE",
    badline="#F2C4C9",
    series=("#3355D6", "#AD5A05", "#00805A", "#7D1541", "#4F1A86", "#6A6F79"),
    shades=("#2E333B", "#8E949F"),
    ramp=((0.0, "#F5F6F9"), (0.25, "#CBD5FA"), (0.55, "#7B93EE"), (0.8, "#3355D6"), (1.0, "#14246B")),
    preview_alpha=0.13,
)

THEMES = {theme.name: theme for theme in (DARK, LIGHT)}
MARKS = ("circle", "diamond", "square", "triangle-down", "triangle-up", "plus")
STYLES = {  # name: (pixels, weight)
    "display": (22, 600),
    "metric": (18, 600),
    "heading": (15, 600),
    "title": (13, 600),
    "body": (13, 400),
    "value": (13, 500),
    "small": (12, 400),
    "strong": (12, 500),
    "micro": (11, 400),
}


class Look(QObject):
    """The theme and the interface size in use; `changed` comes after palette and style sheet have changed."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.theme = DARK
        self.scale = 1.0
        self.motion = True  # False: no animation, for people who asked their system for less of it

    def px(self, size: float) -> int:
        """A length of the design in logical pixels of the interface size, at least one."""
        return max(1, round(size * self.scale))

    def apply(self, theme: Theme, scale: float = 1.0) -> None:
        """Restyle the whole application; `scale` is held between 0.8 and 1.5."""
        self.theme = theme
        self.scale = min(1.5, max(0.8, scale))
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.setStyleSheet("")  # else Qt goes through all widgets by the old sheet too: five times as slow
            if app.style().objectName() != "fusion":
                app.setStyle("Fusion")
            app.setFont(font(13))
            app.setPalette(palette(theme))
            app.setStyleSheet(style_sheet(theme, self.px))
        self.changed.emit()


look = Look()


def follow(restyle: Callable[[], None]) -> None:
    """Call a widget's method now and after each change of the look, as long as the widget lives."""
    look.changed.connect(restyle)
    restyle()


# Colors


def color(role: str, alpha: float = 1.0) -> QColor:
    """The color of a role in the theme in use."""
    found = QColor(getattr(look.theme, role))
    found.setAlphaF(alpha)
    return found


def series(index: int, alpha: float = 1.0) -> QColor:
    """The categorical color of series 0 to 5, in the fixed order of the design."""
    found = QColor(look.theme.series[index])
    found.setAlphaF(alpha)
    return found


def mix(a: QColor, b: QColor, amount: float) -> QColor:
    """The color `amount` (0 to 1) of the way from `a` to `b`, opacity included."""
    parts = zip(_channels(a), _channels(b), strict=True)
    return QColor.fromRgbF(*(x + (y - x) * amount for x, y in parts))


def ramp(value: float) -> QColor:
    """The color of a value from 0 to 1 on the sequential map."""
    value = min(1.0, max(0.0, value))
    stops = look.theme.ramp
    for (start, low), (end, high) in pairwise(stops):
        if value <= end:
            return mix(QColor(low), QColor(high), (value - start) / (end - start))
    return QColor(stops[-1][1])


def ramp_text(value: float) -> QColor:
    """The color of text on the sequential map at `value`: quiet on nothing, else the better contrast."""
    if value < 0.12:
        return color("text2")
    return max((QColor("#060709"), QColor("#FFFFFF")), key=lambda ink: contrast(ink, ramp(value)))


def surprise(probability: float) -> QColor | None:
    """The tint behind a generated token that the model thought unlikely; None where it was expected."""
    alpha = max(0.0, (1 - probability) - 0.30) * 0.62
    return series(1, alpha) if alpha >= 0.03 else None


def token_tint(index: int) -> QColor:
    """The tint of the token at `index` in a preview: five colors in turn."""
    return series((0, 1, 2, 4, 3)[index % 5], look.theme.preview_alpha)


def contrast(a: QColor, b: QColor) -> float:
    """The WCAG 2 contrast ratio of two opaque colors, 1 to 21."""
    lighter, darker = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(c: QColor) -> float:
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in _channels(c)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(c: QColor) -> tuple[float, float, float, float]:
    return c.redF(), c.greenF(), c.blueF(), c.alphaF()


# Fonts


def font(px: float, weight: int = 400, mono: bool = False, tabular: bool = False) -> QFont:
    """A font in pixels of the design times the interface size; `tabular` gives all digits one width."""
    found = QFont()
    families, bundled = _families(mono)
    found.setFamilies(list(families))
    found.setPixelSize(look.px(px))
    found.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    if bundled:  # a variable font is one style to Qt: asking for a bold one would fake it
        found.setVariableAxis(QFont.Tag("wght"), weight)
    else:
        found.setWeight(QFont.Weight(weight))
    if tabular:
        found.setFeature(QFont.Tag("tnum"), 1)
    if mono:  # tokens and code stand as they are: no ligatures for "!=" or "<|"
        found.setFeature(QFont.Tag("calt"), 0)
    return found


def style_font(style: str, mono: bool = False, tabular: bool = False) -> QFont:
    """The font of a named type style of the design, such as "title"."""
    px, weight = STYLES[style]
    return font(px, weight, mono, tabular)


@cache
def _families(mono: bool) -> tuple[tuple[str, ...], bool]:
    """Families to try in turn, and whether the first is a bundled variable font."""
    system = QFontDatabase.SystemFont.FixedFont if mono else QFontDatabase.SystemFont.GeneralFont
    fallback = QFontDatabase.systemFont(system).family()
    package = fontpkg_jetbrains_mono if mono else fontpkg_inter
    pattern = "JetBrainsMono[[]*" if mono else "Inter[[]*"
    for file in Path(package.ROOT).rglob(f"{pattern}.ttf"):
        number = QFontDatabase.addApplicationFont(str(file))
        if number >= 0:
            return (*QFontDatabase.applicationFontFamilies(number), fallback), True
    return (fallback, "monospace" if mono else "sans-serif"), False


# Icons


def icon(name: str, role: str = "text2", size: float = 16) -> QIcon:
    """An icon of `resources/icons` in a role's color, sharp at 1, 2 and 3 times, and in a disabled form.

    It keeps the colors it was made with: make it again in `restyle`.
    """
    made = QIcon()
    for mode, shown in ((QIcon.Mode.Normal, role), (QIcon.Mode.Disabled, "disabled")):
        for ratio in (1.0, 2.0, 3.0):
            made.addPixmap(pixmap(name, shown, size, ratio), mode)
    return made


def pixmap(name: str, role: str = "text2", size: float = 16, ratio: float = 1.0) -> QPixmap:
    """An icon as a pixmap, `size` in pixels of the design."""
    side = look.px(size)
    drawn = QPixmap(round(side * ratio), round(side * ratio))
    drawn.setDevicePixelRatio(ratio)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    paint_icon(painter, name, QRectF(0, 0, side, side), color(role))
    painter.end()
    return drawn


def paint_icon(painter: QPainter, name: str, rect: QRectF, ink: QColor) -> None:
    """Draw an icon into a square."""
    _renderer(name, ink.name()).render(painter, rect)


def mark_pixmap(size: float = 22, ratio: float = 1.0) -> QPixmap:
    """The product's mark: a 3 by 3 causal mask, white on the accent."""
    side = look.px(size)
    drawn = QPixmap(round(side * ratio), round(side * ratio))
    drawn.setDevicePixelRatio(ratio)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color("fill"))
    painter.drawRoundedRect(QRectF(0, 0, side, side), side * 0.24, side * 0.24)
    inset = side * 0.16
    paint_icon(painter, "mark", QRectF(inset, inset, side - 2 * inset, side - 2 * inset), color("white"))
    painter.end()
    return drawn


@cache
def _renderer(name: str, ink: str) -> QSvgRenderer:
    source = (resources() / "icons" / f"{name}.svg").read_text("utf-8")
    return QSvgRenderer(QByteArray(source.replace("currentColor", ink).encode()))
