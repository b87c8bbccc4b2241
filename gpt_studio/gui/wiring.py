"""Who hears whom: each page's signals and the store's, connected. Read it as a diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt_studio.core.runner import failure

if TYPE_CHECKING:
    from gpt_studio.gui.window import Window


def wire(window: Window) -> None:
    """Connect everything."""
    window.worker.happened.connect(window.store.happened)
    panels = (window.top, window.settings_panel, *window.all_pages(), window.chat, window.status)
    for panel in panels:
        window.store.changed.connect(panel.show_state)
    for part in (_wire_top, _wire_settings, _wire_data, _wire_training, _wire_chat, _wire_runs, _wire_frame):
        part(window)


def _wire_top(window: Window) -> None:
    top, store, files = window.top, window.store, window.files
    top.new_wanted.connect(files.new)
    top.open_wanted.connect(files.open)
    top.save_wanted.connect(files.save)
    top.primary_pressed.connect(window.press_primary)
    top.advance_wanted.connect(store.advance)
    top.stop_wanted.connect(store.stop_training)
    top.discard_wanted.connect(window.folders.discard)
    top.sample_wanted.connect(store.sample_now)
    top.enqueue_wanted.connect(store.enqueue)
    top.device_wanted.connect(store.use_device)
    top.theme_wanted.connect(window.switch_theme)


def _wire_settings(window: Window) -> None:
    panel, store = window.settings_panel, window.store
    panel.edited.connect(store.edit)
    panel.preset_chosen.connect(store.apply_preset)
    panel.reset_wanted.connect(store.reset)
    panel.hide_wanted.connect(lambda: window.columns.toggle("left"))
    panel.tokenizer_wanted.connect(lambda: window.show_page("data"))
    store.problem_focused.connect(window.focus_problem)


def _wire_data(window: Window) -> None:
    page, store, texts = window.data_page, window.store, window.texts
    page.edited.connect(texts.edit)
    page.files_wanted.connect(texts.add_files)
    page.folder_wanted.connect(texts.add_folder)
    page.tokenizer_file_wanted.connect(texts.choose_tokenizer)
    page.export_wanted.connect(texts.export_tokenizer)
    page.read_wanted.connect(store.prepare)
    page.cancel_wanted.connect(store.cancel_data)
    page.compare_wanted.connect(store.compare)
    page.batch_wanted.connect(store.read_batch)
    page.remedy_chosen.connect(window.remedies.apply)
    page.lengths.failed.connect(lambda error: store.failed.emit(failure("export", error)))
    store.compared.connect(page.show_comparison)
    store.batch_read.connect(page.show_batch)


def _wire_training(window: Window) -> None:
    page, panel, store = window.training_page, window.settings_panel, window.store
    page.train_wanted.connect(window.press_primary)
    page.corpus_wanted.connect(lambda: window.show_page("data"))
    page.size_wanted.connect(lambda: panel.focus_problem("model.num_layers"))
    page.steps_wanted.connect(lambda: panel.focus_problem("train.steps"))
    page.open_wanted.connect(window.files.open)
    page.sample_wanted.connect(store.sample_now)
    page.remedy_chosen.connect(window.remedies.apply)
    store.built.connect(page.begin)
    store.opened.connect(page.load)
    store.stepped.connect(page.append)
    store.evaluated.connect(page.add_validation)
    store.examined.connect(page.add_exam)
    store.sampled.connect(page.add_sample)
    store.marked.connect(page.add_mark)
    store.resources.connect(page.add_resources)
    store.forgotten.connect(page.clear)


def _wire_chat(window: Window) -> None:
    chat, store = window.chat, window.store
    chat.asked.connect(store.ask)
    chat.stop_wanted.connect(store.stop_generating)
    chat.sample_edited.connect(lambda changes: store.edit("sample", changes))
    chat.hide_wanted.connect(lambda: window.columns.toggle("right"))
    store.spoke.connect(chat.speak)
    store.forgotten.connect(chat.new_conversation)


def _wire_frame(window: Window) -> None:
    """Status bar, banner, tabs, and what is behind them."""
    store, status, folders = window.store, window.status, window.folders
    store.changed.connect(window.show_state)
    store.opened.connect(window.show_opened)
    window.banner.remedy_chosen.connect(window.remedies.apply)
    store.built.connect(lambda _: window.banner.drop_remedies())
    window.banner.shown_changed.connect(window.show_banner_row)
    window.remedies.told.connect(lambda text: status.note(text, "check", "ok"))
    status.queue_wanted.connect(window.start_queue)
    status.best_wanted.connect(window.use_best)
    window.closing.waiting.connect(lambda text: status.note(text))
    folders.noted.connect(lambda text: status.note(text, "trash"))
    window.files.recent_changed.connect(window.fill_recent)
    window.tabs.changed.connect(window.show_page)


def _wire_runs(window: Window) -> None:
    """The page of all runs, and the thread that watches their folders."""
    page, watch, folders, store = window.runs_page, window.watch, window.folders, window.store
    watch.looked.connect(page.show_runs)
    watch.looked.connect(window.recovery.look)
    watch.looked.connect(window.name_run)
    watch.read.connect(page.show_history)
    page.open_wanted.connect(window.files.open_path)
    page.fork_wanted.connect(window.files.fork_path)
    page.compare_wanted.connect(watch.follow)
    page.renamed.connect(folders.rename)
    page.annotated.connect(folders.annotate)
    page.delete_wanted.connect(folders.delete)
    page.unqueue_wanted.connect(store.unqueue)
    page.training_wanted.connect(lambda: window.show_page("training"))
    page.failed.connect(lambda error: store.failed.emit(failure("export", error)))
    folders.changed.connect(watch.look_now)
    for fact in (store.run_begun, store.kept, store.opened):
        fact.connect(lambda _: watch.look_now())
