"""A token of a text as people see it."""

from gpt_studio.core.events import PreviewToken

BYTES = 12  # of a token shown at most


def shown(token: PreviewToken) -> str:
    """A token's text; the bytes of one that is only a part of a character."""
    try:
        token.raw.decode()
    except UnicodeDecodeError:
        return hexadecimal(token.raw).replace(" ", "")
    return token.text


def hexadecimal(raw: bytes) -> str:
    return raw[:BYTES].hex(" ").upper() + (" …" if len(raw) > BYTES else "")
