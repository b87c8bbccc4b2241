"""Learns a byte-pair encoding in a process of its own: texts come in, tokens by rank go out.

Started with a vocabulary size and a pattern. Imports nothing of GPT Studio, so it starts at once.
"""

import os
import struct
import sys
from collections.abc import Iterator

TOGETHER = 1024  # texts counted at a time


def main(size: int, pattern: str) -> None:
    if hasattr(os, "nice"):
        os.nice(5)  # training and chat go first
    import rustbpe

    learner = rustbpe.Tokenizer()
    learner.train_from_iterator(_texts(), size, TOGETHER, pattern)
    for token, _ in learner.get_mergeable_ranks():
        sys.stdout.buffer.write(struct.pack("<H", len(token)) + token)
    sys.stdout.buffer.flush()


def _texts() -> Iterator[str]:
    """Each text, after its size in four bytes; nothing is the last. No last one: nobody waits any more."""
    read = sys.stdin.buffer.read
    while size := struct.unpack("<I", read(4))[0]:
        yield read(size).decode()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
