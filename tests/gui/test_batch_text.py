"""Inputs above targets: columns in lines, pointing, drawing."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter
from PySide6.QtTest import QTest

from gpt_studio.gui.batch_text import BatchText
from gpt_studio.gui.theme import LIGHT, look, style_font

TOKENS = ["Once", " upon", " a", " time", " there", " was", " a", " fox", ".", "\u21b5"] * 6


@pytest.fixture
def text(qtbot) -> BatchText:
    text = BatchText()
    qtbot.addWidget(text)
    text.show_tokens(TOKENS, tinted=True)
    text.resize(400, text.heightForWidth(400))
    text.show()
    return text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.text("ab ", max_size=30), min_size=2, max_size=60), st.integers(130, 600))
def test_columns_stand_in_order_inside_the_width_and_never_overlap(qapp, tokens, width):
    text = BatchText()
    text.show_tokens(tokens, tinted=True)
    text.resize(width, text.heightForWidth(width))
    rects = [text.column_rect(column) for column in range(text.columns())]
    assert len(rects) == len(tokens) - 1
    for before, after in pairwise(rects):
        assert after.left() >= before.right() - 1 or after.top() >= before.bottom()
    assert rects[-1].bottom() <= text.height() + 1
    text.deleteLater()


def test_pointing_finds_the_column_under_the_pointer(text):
    heard = []
    text.hovered.connect(heard.append)
    for column in (0, 7, text.columns() - 1):
        QTest.mouseMove(text, text.column_rect(column).center())
    QTest.mouseMove(text, QPoint(4, 4))
    assert heard == [0, 7, text.columns() - 1, -1]


def test_arrow_keys_walk_from_column_to_column_and_stop_at_the_ends(text):
    for key, expected in ((Qt.Key.Key_Right, 0), (Qt.Key.Key_Right, 1), (Qt.Key.Key_Left, 0)):
        QTest.keyClick(text, key)
        assert text.pointed() == expected
    QTest.keyClick(text, Qt.Key.Key_Left)
    assert text.pointed() == 0


def test_the_pointed_column_and_the_theme_are_drawn(text):
    plain = text.grab().toImage()
    QTest.keyClick(text, Qt.Key.Key_Right)
    assert text.grab().toImage() != plain
    QTest.keyClick(text, Qt.Key.Key_Right)
    look.apply(LIGHT)
    assert text.grab().toImage() != plain
    height = text.heightForWidth(400)
    look.apply(LIGHT, 1.5)
    assert text.heightForWidth(600) > height


def test_a_target_has_the_tint_it_will_have_as_an_input(text):
    image = text.grab().toImage()
    target, following = text._cell(2, 1), text._cell(3, 0)
    corners = [cell.topLeft().toPoint() + QPoint(4, 2) for cell in (target, following)]
    assert image.pixelColor(corners[0]) == image.pixelColor(corners[1])
    text.show_tokens(TOKENS, tinted=False)
    assert text.grab().toImage().pixelColor(corners[0]) != image.pixelColor(corners[0])


def test_a_token_is_drawn_letter_by_letter(qapp):
    """The font has ligatures for code, which would show "!=" as another sign."""

    def drawn(*pieces: str) -> QImage:
        image = QImage(60, 30, QImage.Format.Format_RGB32)
        image.fill(Qt.GlobalColor.white)
        painter = QPainter(image)
        painter.setFont(style_font("body", mono=True))
        for at, piece in enumerate(pieces):
            painter.drawText(QPointF(at * QFontMetricsF(painter.font()).horizontalAdvance("m"), 20), piece)
        painter.end()
        return image

    assert drawn("!=") == drawn("!", "=")
