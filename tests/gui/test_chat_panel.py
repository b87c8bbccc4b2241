"""The chat: what is asked, what is shown while the model writes, and what a person can do with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from gpt_studio.core.chat import END_OF_TEXT, starters
from gpt_studio.core.config import SampleConfig
from gpt_studio.core.events import Failed, Generated, Preview, PreviewToken, Token
from gpt_studio.gui import chat_messages, token_flow
from gpt_studio.gui.chat_panel import ChatPanel, weights
from gpt_studio.gui.sampling_panel import summary
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import DARK, LIGHT, look
from gpt_studio.gui.token_text import TokenText
from tests.gui.conftest import report_of, with_model

ALTERNATIVES = ((" the", 0.5), (" a", 0.2), ("<|endoftext|>", 0.1), ("\ufffd", 0.08), (" fn", 0.04))
BUSY = frozenset({"chat"})


class Chat:
    """The panel in a window of its own, and all it wished for."""

    def __init__(self, width: int = 352, height: int = 760) -> None:
        self.window = QWidget()
        self.panel = ChatPanel(self.window)
        self.asked: list[tuple[str, str, int]] = []
        self.stops = 0
        self.panel.asked.connect(lambda *request: self.asked.append(request))
        self.panel.stop_wanted.connect(self._count_stop)
        self.resize(width, height)
        self.window.show()

    def _count_stop(self) -> None:
        self.stops += 1

    def resize(self, width: int, height: int) -> None:
        self.window.resize(width, height)
        self.panel.resize(width, height)
        self.settle()

    def settle(self) -> None:
        for _ in range(3):
            QApplication.processEvents()

    def write(self, text: str) -> None:
        """As a person does: into the composer, then Enter."""
        self.panel.composer.editor.setPlainText(text)
        QTest.keyClick(self.panel.composer.editor, Qt.Key.Key_Return)

    def say(self, *texts: str, p: float = 0.9, turn: int | None = None) -> None:
        """The model writes some tokens."""
        for text in texts:
            self.panel.speak(Token(turn or self.turn, text, 7, p, 3, ALTERNATIVES))

    def finish(self, tokens: int = 3, seconds: float = 0.1, reason: str = "stop") -> None:
        self.panel.speak(Generated(self.turn, tokens, seconds, reason))

    @property
    def turn(self) -> int:
        return self.asked[-1][2]

    @property
    def answer(self):
        return self.panel.conversation.turns[-1].answer

    @property
    def card(self):
        return self.panel.conversation.alternatives.card


@pytest.fixture
def learned(learned):
    """A run that read prose, no dialogues."""
    return with_model(reading(learned, "python-reference"), 120)


def reading(state, *corpora):
    return replace(state, config=state.config.changed("data", {"corpora": corpora}))


@pytest.fixture
def chat(qtbot, learned):
    chat = Chat()
    qtbot.addWidget(chat.window)
    chat.panel.show_state(learned)
    return chat


@pytest.fixture
def talk(chat):
    """A chat in Chat mode with one finished answer."""
    chat.panel.composer.mode.button("chat").click()
    chat.write("Hi.")
    chat.say(" Hello", " there", ".")
    chat.finish()
    return chat


class TestWithoutModel:
    def test_it_says_so_and_takes_no_prompt(self, chat, idle):
        chat.panel.show_state(idle)
        assert chat.panel.header.weights.text() == "No model yet"
        assert chat.panel.welcome.title.text() == "No model yet"
        assert "Press Train" in chat.panel.welcome.sentence.text()
        assert not any(prompt.isVisible() for prompt in chat.panel.welcome.prompts)
        assert not chat.panel.composer.editor.isEnabled()
        assert "Train or open a model" in chat.panel.composer.editor.placeholderText()
        chat.panel.send("Hello")
        assert chat.asked == []

    def test_it_says_when_the_engine_is_not_there_yet(self, chat):
        chat.panel.show_state(State())
        assert chat.panel.welcome.title.text() == "Starting"

    def test_it_tells_that_a_model_is_on_its_way(self, chat, idle):
        chat.panel.show_state(replace(idle, running=frozenset({"train"})))
        assert "being built" in chat.panel.welcome.sentence.text()

    def test_what_was_said_stays_when_the_model_goes(self, talk, idle):
        talk.panel.show_state(idle)
        assert talk.answer.text() == "Hello there."
        talk.answer.again.click()
        assert len(talk.asked) == 1


class TestEmptyConversation:
    def test_it_describes_the_model_truthfully(self, chat, idle):
        assert chat.panel.welcome.sentence.text() == (
            "It has 0.8\u202fM parameters and only knows what it read: Python reference."
        )
        chat.panel.show_state(with_model(idle, 0))
        assert "has not learned anything yet" in chat.panel.welcome.sentence.text()

    def test_a_prompt_to_click_is_asked_as_it_stands(self, chat):
        assert [prompt.text() for prompt in chat.panel.welcome.prompts] == [
            "The",
            "A function is",
            "An exception",
        ]
        chat.panel.welcome.prompts[1].click()
        assert chat.asked == [("A function is", "", 1)]
        assert chat.panel.conversation.isVisible()
        assert not chat.panel.welcome.isVisible()

    def test_prompts_come_from_the_text_the_model_read(self, chat, learned):
        state = reading(learned, "/texts/story.txt", "/texts/sea.txt")
        chat.panel.show_state(with_model(replace(state, report=previewed(state, STORY, SEA)), 5))
        assert [prompt.text() for prompt in chat.panel.welcome.prompts] == [
            "Once upon a",
            "She sailed to",
            "Nobody ever saw",
        ]  # fmt: skip
        assert chat.panel.welcome.sentence.text().endswith("what it read: story.txt, sea.txt.")

    def test_a_model_of_the_small_world_is_asked_what_it_knows(self, chat, idle):
        state = replace(idle, report=previewed(idle, "Q: Where does the owl live?\n"))
        chat.panel.show_state(with_model(state, 5))
        assert prompts(chat) == starters(("world",))
        chat.panel.composer.mode.button("continue").click()
        assert prompts(chat)[0] == "Q: Where does"

    def test_the_demo_model_introduces_itself(self, chat, idle):
        chat.panel.show_state(with_model(idle, 0, demo=True))
        welcome = chat.panel.welcome
        assert welcome.title.text() == "Say something to the demo model"
        assert welcome.sentence.text() == (
            "It is tiny (0.8\u202fM parameters) and only knows a small world of animals and people, "
            "so ask it about that."
        )
        assert chat.panel.header.weights.text() == "Demo · 0.8\u202fM"
        welcome.prompts[0].click()
        assert chat.asked == [("Q: Where does the fox live?\nA:", "\nQ:", 1)]


STORY = "Once upon a time there was\nShe sailed to an island\n"
SEA = "Nobody ever saw the sea\n"


def previewed(state, *texts):
    """A report whose corpora begin with these texts."""
    previews = [
        Preview("c", "t", tuple(PreviewToken(letter, ord(letter), b"", 1, 1) for letter in text))
        for text in texts
    ]
    return report_of(state.config.data, previews=tuple(previews))


def prompts(chat):
    return tuple(prompt.text() for prompt in chat.panel.welcome.prompts)


class TestMode:
    """Models that read dialogues are talked to, others continue a text."""

    def mode(self, chat):
        return chat.panel.composer.mode.value()

    @pytest.mark.parametrize(
        ("corpora", "mode"),
        [
            (("world",), "chat"),
            (("python-reference", "/texts/talks.jsonl"), "chat"),
            (("/texts/a.txt",), "continue"),
        ],
    )
    def test_it_follows_what_the_model_read(self, chat, idle, corpora, mode):
        chat.panel.show_state(with_model(reading(idle, *corpora), 5))
        assert self.mode(chat) == mode

    def test_it_follows_the_model_and_not_the_form(self, chat, learned):
        chat.panel.show_state(reading(learned, "world"))
        assert self.mode(chat) == "continue"

    def test_a_choice_holds_for_all_models_of_a_kind_and_can_be_remembered(self, chat, idle, learned):
        chat.panel.composer.mode.button("chat").click()
        chat.panel.show_state(with_model(idle, 5))
        chat.panel.composer.mode.button("continue").click()
        chat.panel.show_state(learned)
        assert self.mode(chat) == "chat"
        other = Chat()
        other.panel.set_modes(chat.panel.modes())
        assert self.mode(other) == "continue", "with no model, that of what would be read"
        other.panel.set_modes({"dialogues": "None", "text": ""})
        assert other.panel.modes() == chat.panel.modes(), "what is no mode changes nothing"
        other.window.deleteLater()

    def test_the_template_is_the_models(self, chat, idle):
        names = {"user_prefix": "You: ", "model_prefix": "Me: ", "turn_end": " / "}
        theirs = idle.config.changed("data", names)
        chat.panel.show_state(replace(with_model(replace(idle, config=theirs), 5), config=idle.config))
        chat.write("Hi.")
        assert chat.asked == [("You: Hi. / Me:", " / You:", 1)]


class TestSight:
    """What the model sees, beside the composer."""

    @pytest.fixture
    def card(self, talk):
        talk.panel.composer.sight.click()
        return talk.panel._sight

    def shown(self, card):
        return card.text.text().replace("↵\n", "\n").replace("↵", "\n")

    def test_it_is_the_prompt_that_will_be_sent(self, talk, card):
        assert card.isVisible()
        talk.panel.composer.editor.setPlainText("Go on.")
        shown = self.shown(card)
        QTest.keyClick(talk.panel.composer.editor, Qt.Key.Key_Return)
        assert shown == END_OF_TEXT + talk.asked[-1][0]
        assert "“↵Q:”" in card.note.text()

    def test_it_follows_the_mode(self, talk, card):
        talk.panel.composer.editor.setPlainText("Once")
        talk.panel.composer.mode.button("continue").click()
        assert self.shown(card) == f"{END_OF_TEXT}Once"
        assert "until" not in card.note.text()

    def test_it_goes_away(self, talk, card):
        talk.panel.composer.sight.click()
        assert not card.isVisible()

    def test_it_stands_above_the_composer_whatever_is_written(self, talk, card):
        for text in ("x", "w" * 300, "line\n" * 40):
            talk.panel.composer.editor.setPlainText(text)
            talk.settle()
            body = card.card().translated(card.pos())
            assert body.bottom() < talk.panel.composer.mapTo(talk.window, QPoint(0, 0)).y()
            assert body.top() >= 0
            assert card.text.geometry().bottom() < card.note.geometry().top()
            assert card.note.geometry().bottom() < card.card().bottom()
            assert card.text.text().endswith(f"{text.strip()[-20:]}\nA:")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"running": frozenset({"train"})}, "Live · step 12\u202f400"),
        ({"running": frozenset({"train"}), "demo": True}, "Demo · 0.8\u202fM"),
        ({"running": frozenset({"train"}), "paused": frozenset({"train"})}, "Live · step 12\u202f400"),
        ({"stopped_by": "finished"}, "Final weights"),
        ({"path": "a.safetensors", "saved_step": 12_400}, "Checkpoint · step 12\u202f400"),
        ({"path": "a.safetensors", "saved_step": 12_000, "stopped_by": "stopped"}, "Step 12\u202f400"),
        ({"step": 0}, "Untrained weights"),
    ],
)
def test_the_header_names_the_weights_in_use(idle, changes, shown):
    assert weights(replace(with_model(idle, 12_400), **changes)) == shown


def test_a_running_step_is_shown_in_the_end(chat, learned, qtbot):
    for step in range(1, 30):
        chat.panel.show_state(replace(learned, step=step, running=frozenset({"train"})))
    qtbot.waitUntil(lambda: chat.panel.header.weights.text() == "Live · step 29")


class TestPrompts:
    def test_chat_writes_the_conversation_in_the_template(self, talk):
        assert talk.asked == [("Q: Hi.\nA:", "\nQ:", 1)]
        talk.write("Go on.")
        assert talk.asked[1] == ("Q: Hi.\nA: Hello there.\nQ: Go on.\nA:", "\nQ:", 2)

    def test_pointing_at_a_message_shows_what_the_model_read(self, talk):
        talk.write("Is 1 < 2?")
        assert "Q: Is 1 &lt; 2?\nA:" in talk.panel.conversation.turns[1].bubble.toolTip()

    def test_continue_gives_the_raw_text_so_far(self, chat):
        chat.write("The keys ")
        chat.say("to the", " cabinet")
        chat.finish()
        chat.write("\nare ")
        assert chat.asked == [("The keys ", "", 1), ("The keys to the cabinet\nare ", "", 2)]

    def test_to_continue_shows_one_text_whose_start_is_marked_and_no_token(self, chat):
        chat.write("The keys ")
        chat.say("to the")
        start, token = chat.answer.tokens.spans()
        assert chat.answer.text() == "The keys to the"
        assert chat.panel.conversation.turns[0].bubble is None
        assert start.plain
        assert not token.plain
        assert start.background() is not None

    def test_nothing_written_goes_on_with_the_same_text(self, chat):
        assert not chat.panel.composer.send.isEnabled()
        chat.write("The")
        chat.say(" end")
        chat.finish(reason="length")
        assert "Enter to go on" in chat.panel.composer.editor.placeholderText()
        assert chat.panel.composer.send.isEnabled()
        chat.write("")
        chat.say(" is near")
        assert chat.asked[1] == ("The end", "", 2)
        assert chat.answer.text() == "The end is near"
        assert len(chat.panel.conversation.turns) == 1

    def test_even_an_empty_line_is_text_to_continue(self, chat):
        chat.write("The")
        chat.say(" end")
        chat.finish()
        chat.write("\n")
        assert chat.asked[1][0] == "The end\n"

    def test_the_other_mode_begins_afresh(self, talk):
        talk.panel.composer.mode.button("continue").click()
        talk.write("")
        assert len(talk.asked) == 1
        talk.write("Once")
        assert talk.asked[1] == ("Once", "", 2)
        talk.say(" upon")
        talk.finish()
        talk.panel.composer.mode.button("chat").click()
        talk.write("Hi again.")
        assert talk.asked[2][0] == "Q: Hi again.\nA:"

    def test_a_new_conversation_forgets_everything(self, talk):
        talk.write("More")
        talk.panel.new_conversation()
        assert talk.stops == 1
        assert talk.panel.conversation.turns == []
        assert talk.panel.welcome.isVisible()
        talk.say("late", turn=2)
        talk.write("Hi.")
        assert talk.asked[-1] == ("Q: Hi.\nA:", "\nQ:", talk.turn)
        assert talk.turn > 2

    def test_sampling_that_cannot_be_used_is_pointed_out_instead(self, chat, learned):
        config = learned.config.changed("sample", {"temperature": 9.0})
        chat.panel.show_state(replace(learned, config=config))
        chat.write("Hello")
        assert chat.asked == []
        assert chat.panel.composer.editor.toPlainText() == "Hello"
        assert chat.panel.sampling.form.isVisible()
        row = chat.panel.sampling.form.rows["temperature"]
        assert row.problem() is not None
        assert row.editor().hasFocus()


class TestWriting:
    def test_tokens_appear_as_they_come(self, chat):
        chat.write("The")
        chat.say(" quick", " fox")
        assert chat.answer.text() == "The quick fox"
        assert chat.panel.composer.stop.isVisible()
        assert not chat.panel.composer.send.isVisible()
        assert not chat.answer.copy.isVisible()

    def test_tokens_of_an_earlier_turn_come_too_late(self, talk):
        talk.write("Go on.")
        talk.say(" late", turn=1)
        talk.panel.speak(Generated(1, 9, 1.0, "stop"))
        assert talk.answer.written() == ""
        assert talk.panel.composer.stop.isVisible()

    def test_a_character_of_several_tokens_is_one_piece(self, chat):
        chat.write("x")
        chat.say("", "", p=0.5)
        assert chat.answer.written() == ""
        chat.say("é", p=0.4)
        chat.say("!")
        pieces = [span.data for span in chat.answer.tokens.spans()[1:]]
        assert [piece.text for piece in pieces] == ["é", "!"]
        assert pieces[0].p == pytest.approx(0.1)
        assert (pieces[0].rank, pieces[1].rank) == (0, 3)

    @pytest.mark.parametrize(
        ("reason", "shown"),
        [
            ("stop", "30 tokens/s · 3 tokens"),
            ("end of text", "30 tokens/s · 3 tokens"),
            ("length", "Stopped at 3 tokens · 30 tokens/s"),
        ],
    )
    def test_the_end_tells_speed_count_and_what_cut_it_short(self, chat, reason, shown):
        chat.write("The")
        chat.say(" a", " b", " c")
        chat.finish(3, 0.1, reason)
        assert chat.answer.stats.text() == shown
        assert chat.answer.copy.isVisible()
        assert chat.panel.composer.send.isVisible()

    def test_the_speed_so_far_is_told_now_and_then(self, chat, monkeypatch):
        clock = [100.0]
        monkeypatch.setattr(chat_messages.time, "monotonic", lambda: clock[0])
        chat.write("The")
        for clock[0] in (100.1, 100.2):
            chat.say(" a", " b")
            assert chat.answer.stats.text() == ""
        clock[0] = 100.5
        chat.say(" c")
        assert chat.answer.stats.text() == "10 tokens/s · 5 tokens"

    def test_stop_keeps_what_was_written_and_hears_no_more(self, chat, learned):
        chat.write("The")
        chat.panel.show_state(replace(learned, running=BUSY))
        chat.say(" quick")
        chat.panel.composer.stop.click()
        chat.say(" fox")
        assert chat.stops == 1
        assert chat.answer.text() == "The quick"
        assert chat.answer.stats.text() == "Stopped · 1 token"
        assert chat.panel.composer.send.isVisible()

    def test_escape_stops_too(self, chat):
        chat.write("The")
        QTest.keyClick(chat.panel.composer.editor, Qt.Key.Key_Escape)
        assert chat.stops == 1

    def test_the_end_of_the_job_ends_the_answer_even_unsaid(self, chat, learned):
        chat.write("The")
        chat.panel.show_state(replace(learned, running=BUSY))
        chat.say(" quick")
        chat.panel.show_state(learned)
        assert chat.answer.stats.text() == "Stopped · 1 token"
        assert chat.panel.composer.send.isVisible()

    def test_the_last_batch_tells_the_end_of_the_job_before_its_tokens(self, chat, learned):
        chat.write("The")
        chat.panel.show_state(replace(learned, running=BUSY))
        chat.panel.show_state(learned)
        chat.say(" quick", " fox")
        assert chat.panel.composer.stop.isVisible()
        chat.finish(2, 0.1)
        assert chat.answer.text() == "The quick fox"
        assert chat.answer.stats.text() == "20 tokens/s · 2 tokens"
        assert chat.panel.composer.send.isVisible()

    def test_a_failure_is_told_under_the_message_until_the_next_try(self, chat, learned):
        chat.write("The")
        chat.panel.show_state(replace(learned, running=BUSY))
        chat.say(" quick")
        chat.panel.show_state(learned)
        chat.panel.failed(Failed("chat", "The model gives no probabilities", tries="Open a checkpoint."))
        assert chat.answer.failure.isVisible()
        assert chat.answer.failure.label.text() == "The model gives no probabilities. Open a checkpoint."
        assert chat.answer.text() == "The quick"
        assert chat.panel.composer.send.isVisible()
        chat.panel.regenerate()
        assert not chat.answer.failure.isVisible()

    def test_writing_lays_out_no_more_than_the_last_line(self, chat, monkeypatch):
        chat.write("The")
        chat.say(*[" word"] * 600)
        chat.settle()
        whole = []
        lay_out = token_flow.Flow.lay_out
        monkeypatch.setattr(
            token_flow.Flow, "lay_out", lambda self, *given: (whole.append(1), lay_out(self, *given))
        )
        for _ in range(30):
            chat.say(*[" more"] * 20)
            chat.settle()
        assert whole == []


class TestAfterwards:
    def test_regenerate_asks_the_same_again(self, talk):
        talk.panel.regenerate()
        assert talk.asked[1] == (*talk.asked[0][:2], 2)
        assert talk.answer.written() == ""
        talk.say(" Hey")
        assert talk.answer.written() == " Hey"

    def test_regenerating_an_earlier_answer_drops_what_followed(self, talk):
        talk.write("Go on.")
        talk.say(" Well")
        talk.finish()
        talk.panel.conversation.turns[0].answer.again.click()
        assert len(talk.panel.conversation.turns) == 1
        assert talk.asked[2][:2] == talk.asked[0][:2]

    def test_there_is_nothing_to_regenerate_at_first(self, chat):
        chat.panel.regenerate()
        assert chat.asked == []

    def test_copy_takes_the_plain_text(self, talk):
        talk.answer.copy.click()
        assert QGuiApplication.clipboard().text() == "Hello there."

    def test_the_tint_can_be_taken_away(self, chat):
        chat.write("The")
        chat.say(" rare", p=0.01)
        chat.say(" usual", p=0.8)
        rare, usual = chat.answer.tokens.spans()[1:]
        assert rare.background().alphaF() == pytest.approx(0.69 * 0.62, abs=0.01)
        assert rare.underline
        assert usual.background() is None
        assert not usual.underline
        chat.panel.header.tint.click()
        chat.say(" odd", p=0.01)
        for span in chat.answer.tokens.spans()[1:]:
            assert span.background() is None
            assert not span.underline
        assert chat.answer.text() == "The rare usual odd"


class TestAlternatives:
    def point(self, chat, index):
        """Let the pointer rest on a token."""
        place = chat.answer.tokens.span_rect(index).center()
        QTest.mouseMove(chat.answer.tokens, QPoint(1, chat.answer.tokens.height() - 1))
        QTest.mouseMove(chat.answer.tokens, place)

    def test_a_token_tells_how_likely_it_was_and_what_else_could_stand_there(self, talk, qtbot):
        self.point(talk, 1)
        qtbot.waitUntil(talk.card.isVisible)
        assert talk.card.title() == ("·there", "90.0\u202f% · rank 3")
        rows = talk.card.rows()
        assert [row.label for row in rows][:2] == ["·the", "·a"]
        assert rows[0].value == "50.0\u202f%"
        assert rows[1].share == pytest.approx(rows[0].share * 0.4)

    def test_choosing_one_cuts_the_answer_and_goes_on_from_there(self, talk):
        talk.write("Go on.")
        talk.say(" Well")
        talk.finish()
        first = talk.panel.conversation.turns[0]
        first.answer.tokens.clicked.emit(1)
        talk.card.row_clicked.emit(1)
        assert talk.asked[2] == ("Q: Hi.\nA: Hello a", "\nQ:", 3)
        assert talk.panel.conversation.turns == [first]
        assert first.answer.written() == " Hello a"
        chosen = first.answer.tokens.spans()[1].data
        assert (chosen.p, chosen.rank) == (0.2, 2)
        talk.say(" day")
        assert first.answer.written() == " Hello a day"
        assert not talk.card.isVisible()

    def test_the_start_of_a_text_stays_when_its_continuation_branches(self, chat):
        chat.write("The")
        chat.say(" quick", " fox")
        chat.answer.tokens.clicked.emit(1)
        chat.card.row_clicked.emit(0)
        assert chat.asked[1] == ("The the", "", 2)
        assert chat.answer.text() == "The the"

    @pytest.mark.parametrize("row", [2, 3])
    def test_what_is_no_text_cannot_be_chosen(self, talk, row):
        talk.answer.tokens.clicked.emit(0)
        talk.card.row_clicked.emit(row)
        assert len(talk.asked) == 1
        assert talk.answer.written() == " Hello there."

    def test_the_keyboard_reaches_tokens_and_alternatives(self, talk):
        tokens = talk.answer.tokens
        tokens.setFocus()
        QTest.keyClick(tokens, Qt.Key.Key_Right)
        QTest.keyClick(tokens, Qt.Key.Key_Right)
        assert talk.card.isVisible()
        assert talk.card.title()[0] == "·there"
        for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Return):
            QTest.keyClick(tokens, key)
        assert talk.asked[1][0] == "Q: Hi.\nA: Hello a"

    def test_the_card_goes_with_its_conversation(self, talk):
        talk.answer.tokens.clicked.emit(0)
        assert talk.card.isVisible()
        talk.panel.new_conversation()
        assert not talk.card.isVisible()


class TestScrolling:
    @pytest.fixture
    def long(self, chat):
        chat.write("The")
        chat.say(*[" word\n"] * 80)
        chat.settle()
        return chat

    def test_it_stays_at_the_end_while_the_model_writes(self, long):
        bar = long.panel.conversation.verticalScrollBar()
        assert bar.value() == bar.maximum() > 0
        long.say(*[" word\n"] * 10)
        long.settle()
        assert bar.value() == bar.maximum()
        assert not long.panel.conversation.latest.isVisible()

    def test_it_leaves_a_reader_alone_and_offers_the_way_back(self, long):
        bar = long.panel.conversation.verticalScrollBar()
        bar.setValue(100)
        long.say(*[" word\n"] * 10)
        long.settle()
        assert bar.value() == 100
        assert long.panel.conversation.latest.isVisible()
        long.panel.conversation.latest.click()
        assert bar.value() == bar.maximum()
        assert not long.panel.conversation.latest.isVisible()

    def test_the_text_keeps_its_width_when_the_scroll_bar_comes(self, chat):
        chat.write("The")
        chat.settle()
        before = chat.answer.tokens.width()
        chat.say(*[" word\n"] * 80)
        chat.settle()
        assert chat.answer.tokens.width() == before


class TestComposer:
    def test_shift_enter_begins_a_line_and_enter_sends(self, chat):
        editor = chat.panel.composer.editor
        QTest.keyClicks(editor, "one")
        QTest.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
        QTest.keyClicks(editor, "two")
        assert chat.asked == []
        QTest.keyClick(editor, Qt.Key.Key_Return)
        assert chat.asked[0][0] == "one\ntwo"
        assert editor.toPlainText() == ""

    def test_it_grows_to_six_lines(self, chat):
        editor = chat.panel.composer.editor
        heights = []
        for lines in range(1, 9):
            editor.setPlainText("\n".join("x" * lines))
            chat.settle()
            heights.append(editor.height())
        assert heights[:6] == sorted(set(heights[:6]))
        assert heights[5] == heights[6] == heights[7]

    def test_enter_waits_while_the_model_writes(self, chat):
        chat.write("The")
        chat.write("Next")
        assert len(chat.asked) == 1
        assert chat.panel.composer.editor.toPlainText() == "Next"


class TestSampling:
    def test_the_summary_says_what_is_in_force(self):
        assert summary(SampleConfig()) == "T 0.80 · top-k 50 · top-p 0.95"
        changed = SampleConfig(top_k=0, top_p=1.0, repetition=1.1, fixed_seed=True, seed=7)
        assert summary(changed) == "T 0.80 · repetition 1.10 · seed 7"

    def test_edits_and_reset_are_wishes(self, chat, qtbot):
        wishes = []
        chat.panel.sample_edited.connect(wishes.append)
        sampling = chat.panel.sampling
        assert not sampling.form.isVisible()
        sampling.fold.click()
        assert sampling.form.isVisible()
        sampling.form.rows["temperature"].field.committed.emit(1.2)
        sampling.seed.switch.click()
        sampling.reset.click()
        assert wishes[:2] == [{"temperature": 1.2}, {"fixed_seed": True}]
        assert SampleConfig(**wishes[2]) == SampleConfig()

    def test_the_seed_counts_only_while_it_is_fixed(self, chat, learned):
        seed = chat.panel.sampling.seed
        assert (seed.state.text(), seed.field.isReadOnly()) == ("Random", True)
        config = learned.config.changed("sample", {"fixed_seed": True, "seed": 42})
        chat.panel.show_state(replace(learned, config=config))
        assert (seed.state.text(), seed.field.isReadOnly(), seed.field.value()) == ("Fixed", False, 42)


class TestLook:
    @pytest.mark.parametrize("width", [284, 292, 352, 560])
    def test_everything_fits(self, talk, width):
        talk.panel.sampling.fold.click()
        talk.write("w" * 200)
        talk.say("v" * 300)
        talk.resize(width, 700)
        assert talk.panel.minimumSizeHint().width() <= 284
        for widget in talk.panel.findChildren(QWidget):
            if widget.isVisible():
                right = widget.mapTo(talk.panel, QPoint(widget.width(), 0)).x()
                assert right <= width, (widget, widget.width())
        bubble = talk.panel.conversation.turns[1].bubble
        text = bubble.findChild(TokenText)
        assert text.mapTo(bubble, QPoint(text.width(), 0)).x() <= bubble.width() - 12

    @pytest.mark.parametrize("scale", [0.8, 1.0, 1.5])
    def test_no_part_is_squeezed_in_the_lowest_window(self, talk, scale):
        look.apply(DARK, scale)
        talk.panel.sampling.fold.click()
        talk.resize(round(352 * scale), round(524 * scale))
        for part in (talk.panel.header, talk.panel.sampling, talk.panel.composer):
            assert part.height() >= part.sizeHint().height()

    def test_lines_stay_short_enough_to_read(self, talk):
        talk.resize(560, 700)
        assert talk.answer.tokens.width() == 480

    def test_theme_and_size_can_change_at_any_time(self, talk):
        talk.answer.tokens.clicked.emit(0)
        talk.write("Go on.")
        talk.settle()
        before = talk.panel.grab().toImage()
        height = talk.answer.tokens.height()
        look.apply(LIGHT, 1.5)
        talk.settle()
        assert talk.answer.tokens.height() > height
        look.apply(DARK)
        talk.settle()
        assert talk.panel.grab().toImage() == before

    def test_everything_that_takes_the_keyboard_has_a_name(self, talk):
        talk.panel.sampling.fold.click()
        for widget in talk.panel.findChildren(QWidget):
            if widget.isVisible() and widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
                assert widget.accessibleName() or getattr(widget, "text", str)(), widget

    def test_tab_goes_from_the_header_over_messages_and_sampling_to_the_composer(self, talk):
        talk.write("Go on.")
        talk.say(" Well")
        talk.finish()
        panel = talk.panel
        panel.composer.editor.setPlainText("Next")
        talk.settle()
        first, second = (turn.answer for turn in panel.conversation.turns)
        wanted = [panel.header.tint, panel.header.hide_button, *first.tab_stops(), *second.tab_stops()]
        wanted += [panel.sampling.fold, panel.composer.editor, panel.composer.send]
        panel.header.tint.setFocus()
        reached = []
        for _ in range(40):
            reached.append(QApplication.focusWidget())
            QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        places = [reached.index(widget) for widget in wanted]
        assert places == sorted(places)
