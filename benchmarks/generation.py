"""Writing at GPT-2 small's shape beside llama.cpp: python -m benchmarks.generation --llama PYTHON

PYTHON is an interpreter that has llama-cpp-python. It runs in a process of its own, in turn with ours: a
prompt of 32 random ids, 128 new ones, always the likeliest. The limit is the bytes of all weights over the
speed at which memory can be read, measured in the same run. Making the file of weights needs `gguf`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from gpt_studio.core.config import GPTConfig
from gpt_studio.engine.decoder import Decoder
from gpt_studio.engine.device import usable_cores, use_threads
from gpt_studio.engine.model import GPT

PROMPT, NEW = 32, 128
SAME = {"fp32": "F32", "bf16": "F16", "int8": "Q8_0"}  # ours and llama.cpp's
BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
LLAMA = """
import json, sys, time
from llama_cpp import Llama
path, threads, new = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = Llama(path, n_ctx=256, n_threads=threads, n_threads_batch=threads, verbose=False)
print("ready", flush=True)
for line in sys.stdin:
    prompt = json.loads(line)
    start, count = time.perf_counter(), 0
    for _ in model.generate(prompt, temp=0.0, top_k=1, reset=True):
        count += 1
        if count == new:
            break
    print(count / (time.perf_counter() - start), flush=True)
"""


class Ours:
    """Writes with packed weights, as a chat does."""

    def __init__(self, model: GPT, precision: str) -> None:
        self._decoder = Decoder(model, precision)

    def write(self, prompt: list[int], count: int = NEW) -> list[int]:
        """The likeliest tokens after a prompt."""
        self._decoder.begin(prompt)
        written: list[int] = []
        new = prompt
        for _ in range(count):
            new = [int(self._decoder.read(new).argmax())]
            written += new
        return written

    def rate(self, prompt: list[int]) -> float:
        """Tokens per second."""
        start = time.perf_counter()
        return len(self.write(prompt)) / (time.perf_counter() - start)


class LlamaCpp:
    """llama.cpp in another process, which waits while others write."""

    def __init__(self, python: str, path: Path, threads: int) -> None:
        command = [python, "-c", LLAMA, str(path), str(threads), str(NEW)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._out: IO[str] = self._process.stdout
        self._in: IO[str] = self._process.stdin
        if self._out.readline().strip() != "ready":
            raise RuntimeError("llama.cpp did not load the model")

    def rate(self, prompt: list[int]) -> float:
        """Tokens per second."""
        self._in.write(json.dumps(prompt) + "\n")
        self._in.flush()
        return float(self._out.readline())

    def close(self) -> None:
        self._in.close()
        self._process.wait(10)


def write_gguf(model: GPT, path: Path, kind: str) -> None:
    """The weights as llama.cpp reads them: matrices of a kind (F32, F16, Q8_0), all else float32."""
    import gguf

    config = model.config
    quantized = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_context_length(config.max_length)
    writer.add_embedding_length(config.embed_size)
    writer.add_block_count(config.num_layers)
    writer.add_feed_forward_length(config.forward_expansion * config.embed_size)
    writer.add_head_count(config.heads)
    writer.add_layer_norm_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"t{id}" for id in range(config.vocab_size)])
    writer.add_token_merges(["t 0"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)

    def add(name: str, tensor: Tensor, matrix: bool = False) -> None:
        data: Any = tensor.detach().float().contiguous().numpy()
        if matrix:
            writer.add_tensor(name, gguf.quants.quantize(data, quantized), raw_dtype=quantized)
        else:
            writer.add_tensor(name, data)

    add("token_embd.weight", model.token_embedding.weight, True)
    add("output.weight", model.token_embedding.weight, True)
    add("position_embd.weight", model.position_embedding.weight)
    _add_layer(add, "output_norm", model.norm)
    block: Any
    for number, block in enumerate(model.blocks):
        begin = f"blk.{number}."
        _add_layer(add, begin + "attn_norm", block.attention_norm)
        _add_layer(add, begin + "attn_qkv", block.attention.qkv, True)
        _add_layer(add, begin + "attn_output", block.attention.projection, True)
        _add_layer(add, begin + "ffn_norm", block.feed_forward_norm)
        _add_layer(add, begin + "ffn_up", block.feed_forward.expansion, True)
        _add_layer(add, begin + "ffn_down", block.feed_forward.projection, True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_layer(add: Any, name: str, layer: Any, matrix: bool = False) -> None:
    add(f"{name}.weight", layer.weight, matrix)
    add(f"{name}.bias", layer.bias)


def read_bandwidth(rounds: int = 10) -> float:
    """Bytes per second at which all threads read memory, at best: the sum of 400 MB."""
    data = torch.ones(100_000_000)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        data.sum().item()
        times.append(time.perf_counter() - start)
    return data.nbytes / min(times)


def compare(python: str, rounds: int, threads: int) -> dict[str, dict[str, float]]:
    """For each precision: medians of tokens per second, ours and llama.cpp's, and the limit of memory."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(dropout=0.0)).eval()
    prompt = torch.randint(1, model.config.vocab_size, (PROMPT,)).tolist()
    weights = sum(p.numel() for p in model.parameters()) - model.position_embedding.weight.numel()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for precision, kind in SAME.items():
            path = Path(folder) / f"{kind}.gguf"
            write_gguf(model, path, kind)
            theirs, ours = LlamaCpp(python, path, threads), Ours(model, precision)
            pairs = [(ours.rate(prompt), theirs.rate(prompt)) for _ in range(rounds + 1)][1:]
            theirs.close()
            path.unlink()
            limit = read_bandwidth() / (weights * BYTES[precision])
            mine, other = (statistics.median(rates) for rates in zip(*pairs, strict=True))
            found[precision] = {"ours": mine, "llama.cpp": other, "ratio": mine / other, "limit": limit}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llama", required=True, help="a Python interpreter that has llama-cpp-python")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    use_threads()
    print(f"{usable_cores()} cores, {torch.get_num_threads()} threads, tokens per second, medians in turn")
    print(f"{'':6} {'ours':>8} {'llama.cpp':>10} {'ratio':>6} {'limit of memory':>16}")
    for precision, row in compare(options.llama, options.rounds, torch.get_num_threads()).items():
        ours, theirs, ratio, limit = row.values()
        print(f"{precision:6} {ours:8.1f} {theirs:10.1f} {ratio:6.2f} {limit:16.1f}", flush=True)


if __name__ == "__main__":
    main()
