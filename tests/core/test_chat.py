"""The conversation as plain text: exactly what the model sees."""

from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.chat import Message, Template, request, starters
from gpt_studio.core.corpora import BUILT_IN

TEMPLATE = Template()
MESSAGES = st.lists(st.builds(Message, st.sampled_from(["user", "model"]), st.text(max_size=20)), max_size=6)
ASKED = [Message("user", "Hi."), Message("model", " Hello.\n"), Message("user", "Go on.")]


def test_a_chat_prompt_names_every_speaker_and_ends_where_the_answer_begins():
    assert TEMPLATE.prompt(ASKED) == "Q: Hi.\nA: Hello.\nQ: Go on.\nA:"


def test_an_answer_stops_where_the_model_speaks_for_the_user():
    assert TEMPLATE.stop == "\nQ:"
    assert TEMPLATE.stop in TEMPLATE.prompt(ASKED)


def test_another_template_is_written_its_own_way():
    template = Template(user="User: ", model="GPT: ", end="\n\n")
    assert template.prompt([Message("user", "1+1?")]) == "User: 1+1?\n\nGPT:"
    assert request("chat", ASKED, template)[1] == "\n\nUser:"


def test_a_prompt_is_the_beginning_of_the_text_a_model_learned_from():
    answered = [*ASKED, Message("model", "Gladly.")]
    assert TEMPLATE.text(answered) == TEMPLATE.prompt(ASKED) + " Gladly.\n"


def test_continuing_adds_nothing_to_the_text():
    text = [Message("user", "The keys "), Message("model", "to the"), Message("user", " cabinet\n")]
    assert request("continue", text, TEMPLATE) == ("The keys to the cabinet\n", "")


@given(MESSAGES)
def test_a_longer_chat_begins_with_the_shorter_one(messages):
    before = TEMPLATE.prompt(messages).removesuffix("A:")
    assert TEMPLATE.prompt([*messages, Message("user", "More")]).startswith(before)


def test_every_built_in_corpus_has_its_own_starters():
    own = {starters((corpus.name,)) for corpus in BUILT_IN}
    assert len(own) == len(BUILT_IN)
    assert starters(("unknown",)) not in own


def test_a_corpus_of_ones_own_starts_with_the_first_words_of_its_lines():
    text = "A\n\nOnce upon a time there was\nOnce upon a day there was\njust three words\nShe said it is so."
    assert starters(("story.txt",), text) == ("Once upon a", "She said it", "The")


@given(st.lists(st.text(max_size=5), max_size=3), st.text(max_size=80))
def test_there_are_always_three_starters_with_something_in_them(corpora, text):
    found = starters(corpora, text)
    assert len(found) == 3
    assert all(found)
