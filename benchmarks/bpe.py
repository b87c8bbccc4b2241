"""How long learning a BPE takes, how much memory, and do others have their turn? python -m benchmarks.bpe

Learns from 100 MB: the standard library's sources and the small world, again and again with other vowels,
so that new words never end.
"""

import os
import platform
import time

import psutil

from gpt_studio.core.config import DataConfig
from gpt_studio.core.units import MB, memory
from gpt_studio.engine.bpe import OwnBPE
from gpt_studio.engine.bpe_learning import learn_bpe
from gpt_studio.engine.corpora import documents
from gpt_studio.engine.formats import Document

SIZE = 100 * MB
VOWELS = "aeiou"
VOCABULARIES = (4096, 65536)


def varied_texts() -> list[str]:
    """Some `SIZE` bytes of text."""
    data = DataConfig()
    found = [item for name in ("world", "python-library") for item in documents(name, data)]
    texts = [item.text for item in found if isinstance(item, Document)]
    varied: list[str] = []
    size = 0
    for turn in range(10**6):
        others = [VOWELS[(place * (turn % 4 + 1) + turn // 4) % 5] for place in range(5)]
        table = str.maketrans(VOWELS, "".join(others))
        for text in texts:
            varied.append(text.translate(table))
            size += len(varied[-1].encode())
            if size >= SIZE:
                return varied
    return varied


def learn(texts: list[str], vocab_size: int) -> tuple[OwnBPE, float, int, float]:
    """What was learned, the seconds it took, the most memory of its process, the longest step."""
    work = learn_bpe(lambda: iter(texts), SIZE, vocab_size)
    started = time.perf_counter()
    peak, longest, looked = 0, 0.0, 0.0
    while True:
        before = time.perf_counter()
        try:
            next(work)
        except StopIteration as end:
            return end.value, time.perf_counter() - started, peak, longest
        now = time.perf_counter()
        longest = max(longest, now - before)
        if now - looked > 0.05:
            looked = now
            peak = max([peak, *(child.memory_info().rss for child in psutil.Process().children())])


def main() -> None:
    texts = varied_texts()
    size = sum(len(text.encode()) for text in texts)
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}")
    print(f"{memory(size)} in {len(texts)} texts")
    print(f"{'asked':>8} {'learned':>8} {'time':>8} {'memory':>10} {'longest step':>14}")
    for vocab_size in VOCABULARIES:
        learned, seconds, peak, longest = learn(texts, vocab_size)
        step = f"{1000 * longest:.0f} ms"
        print(f"{vocab_size:8} {len(learned.tokens):8} {seconds:6.1f} s {memory(peak):>10} {step:>14}")


if __name__ == "__main__":
    main()
