"""How fast texts become tokens on the disk, against tiktoken alone, and how much memory that takes.

Run: python -m benchmarks.tokenizing [--large]

Ours is all of it: reading files, looking for what repeats, tokenizing, writing. The peer is
`tiktoken.Encoding.encode_ordinary_batch` on the same texts, which lie in memory already, with as many
threads. The two take turns, each in a process of its own. `--large` makes tokens of a file of 2 GB.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from gpt_studio.core.config import DataConfig
from gpt_studio.engine.corpora import documents
from gpt_studio.engine.formats import Document

ROUNDS = 7
SIZE = 40 * 10**6  # bytes
LARGE = 2 * 10**9
OURS = """
import json, resource, sys, time
from gpt_studio.core.config import DataConfig
from gpt_studio.engine.data import prepare
from gpt_studio.engine.tokenizers import tokenizer
tokenizer("gpt2").encode("warm")
def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, started = peak(), time.perf_counter()
work = prepare(DataConfig(corpora=(sys.argv[1],), tokenizer="gpt2"))
try:
    while True:
        next(work)
except StopIteration as end:
    report = end.value.report
assert not report.cached
seconds = time.perf_counter() - started
print(json.dumps([report.size, seconds, before, peak(), report.tokens]))
"""
PEER = """
import json, os, sys, time
from gpt_studio.core.config import DataConfig
from gpt_studio.engine.corpora import documents
from gpt_studio.engine.formats import Document
from gpt_studio.engine.tokenizers import tokenizer
encoding = tokenizer("gpt2")._encoding
texts = [item.text for item in documents(sys.argv[1], DataConfig()) if isinstance(item, Document)]
encoding.encode_ordinary("warm")
started = time.perf_counter()
ids = encoding.encode_ordinary_batch(texts, num_threads=os.cpu_count())
seconds = time.perf_counter() - started
print(json.dumps([sum(len(text.encode()) for text in texts), seconds]))
"""


def run(program: str, corpus: Path) -> list[float]:
    """What a fresh process with an empty cache prints."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GPT_STUDIO_HOME": home}
        command = [sys.executable, "-c", program, str(corpus)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def write(path: Path, size: int) -> None:
    """A text of at least this size: the sources of Python's library, again and again."""
    found = documents("python-library", DataConfig())
    text = "".join(item.text for item in found if isinstance(item, Document)).encode()
    with path.open("wb") as file:
        for part in range(size // len(text) + 1):
            file.write(b"# Part %d\n" % part + text)


def compare(path: Path) -> None:
    write(path, SIZE)
    pairs = [(run(PEER, path), run(OURS, path)) for _ in range(ROUNDS)]
    theirs, ours = ([size / seconds / 1e6 for size, seconds, *_ in side] for side in zip(*pairs, strict=True))
    print(f"{ROUNDS} rounds with {path.stat().st_size / 1e6:.0f} MB")
    print(f"tiktoken alone         median {statistics.median(theirs):6.2f} MB/s   {spread(theirs)}")
    print(f"to tokens on the disk  median {statistics.median(ours):6.2f} MB/s   {spread(ours)}")
    print(f"ratio of medians {statistics.median(ours) / statistics.median(theirs):.2f}")


def spread(rates: list[float]) -> str:
    return f"min {min(rates):.2f}   max {max(rates):.2f}"


def large(path: Path) -> None:
    write(path, LARGE)
    size, seconds, before, peak, tokens = run(OURS, path)
    rate = size / seconds / 1e6
    print(f"{size / 1e9:.2f} GB, {tokens / 1e6:.0f} M tokens in {seconds:.0f} s: {rate:.2f} MB/s")
    print(f"process memory: {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true", help="make tokens of a file of 2 GB")
    wanted = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        (large if wanted.large else compare)(Path(folder, "text.txt"))


if __name__ == "__main__":
    main()
