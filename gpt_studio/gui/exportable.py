"""What can be written to a file as it is shown: a picture of it, and the numbers behind it."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QPainter, QPixmap, QRegion
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from gpt_studio.core.errors import StudioError
from gpt_studio.gui.dialogs import ask_where_to_save
from gpt_studio.gui.table_dialog import TableDialog
from gpt_studio.gui.theme import color
from gpt_studio.gui.widgets import Menu, Surface

CSS = 96  # pixels to the inch, as style sheets count them


class Exportable(Surface):
    """A chart's menu with its exports. Its accessible name names the files.

    Signals:
        failed: an export could not be written (StudioError).
    """

    failed = Signal(object)

    def table(self) -> tuple[list[str], Sequence[Sequence[str]]]:
        """Everything the chart shows as a header and rows of plain text."""
        raise NotImplementedError

    def hide_cursor(self) -> None:
        """Show the chart alone, as a picture of it should be."""

    def set_drawn(self, drawn: bool) -> None:
        """Paint lines and shapes alone, as a drawing needs them, or pictures of them where that is faster."""

    def fill_menu(self, menu: Menu) -> None:
        """Add the chart's own entries to its menu."""

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu().popup(event.globalPos())

    def menu(self) -> Menu:
        """The chart's menu, made anew; it deletes itself when closed."""
        menu = Menu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_menu(menu)
        if not menu.isEmpty():
            menu.addSeparator()
        menu.addAction("Show as table\tEnter", self.show_table)
        menu.addAction("Export PNG…", lambda: self._export("png", "Pictures (*.png)", self.export_png))
        menu.addAction("Export SVG…", lambda: self._export("svg", "Drawings (*.svg)", self.export_svg))
        menu.addAction("Export CSV…", lambda: self._export("csv", "Tables (*.csv)", self.export_csv))
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.show_table()
        else:
            super().keyPressEvent(event)

    def show_table(self) -> TableDialog:
        """Open the numbers in a window beside this one."""
        dialog = TableDialog(self.accessibleName(), self.table, self.window())
        dialog.export_wanted.connect(lambda: self._export("csv", "Tables (*.csv)", self.export_csv))
        dialog.show()
        return dialog

    def _export(self, suffix: str, kind: str, write: Callable[[Path], None]) -> None:
        name = self.accessibleName()
        proposed = str(Path.home() / f"{name.lower()}.{suffix}")
        chosen = ask_where_to_save(self, f"Export {name}", proposed, kind, suffix)
        if not chosen:
            return
        try:
            write(Path(chosen))
        except OSError as error:
            reason = error.strerror or str(error)
            self.failed.emit(
                StudioError(f"The chart was not exported — {reason}", tries="Choose another folder.")
            )

    def export_png(self, path: Path) -> None:
        """Write the chart as a picture at twice its size; OSError if that fails."""
        picture = QPixmap(self.size() * 2)
        picture.setDevicePixelRatio(2)
        picture.fill(color("card"))
        self.hide_cursor()
        self.set_drawn(True)
        self.render(picture)
        self.set_drawn(False)
        if not picture.save(str(path), "PNG"):
            raise OSError(f"{path.name} cannot be written")

    def export_svg(self, path: Path) -> None:
        """Write the chart as a drawing that stays sharp at any size; OSError if that fails."""
        path.open("w").close()  # the generator would only complain to the log
        made = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)
        made.setFileName(str(path))
        made.setResolution(CSS)
        made.setSize(self.size())
        made.setViewBox(QRect(QPoint(), self.size()))
        made.setTitle(self.accessibleName())
        made.setDescription(self.accessibleDescription())
        self.hide_cursor()
        self.set_drawn(True)
        painter = QPainter(made)
        painter.fillRect(self.rect(), color("card"))
        self.render(painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
        self.set_drawn(False)
        if not painter.end():
            raise OSError(f"{path.name} cannot be written")

    def export_csv(self, path: Path) -> None:
        """Write the chart's table; OSError if that fails."""
        header, rows = self.table()
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
