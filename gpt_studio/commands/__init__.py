"""The subcommands of `gpt-studio`: each module has `add_arguments(parser)` and `run(chosen)`. Never Qt.

Importing one is light: it loads the engine, if it needs one, only when it runs.
"""

COMMANDS = {
    "train": "train a model and write its run to a folder",
    "generate": "let a model go on with a text, or talk to it",
    "estimate": "say what a run would take: parameters, memory, compute",
    "exam": "put the questions of the small world to a model",
    "export": "write a model without its optimizer, or its tokenizer",
}


class UsageError(Exception):
    """Options that do not go together."""
