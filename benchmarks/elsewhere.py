"""A training step in a process of its own: what one engine sets for its process helps no other."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks.peers import OURS, make_trainer
from gpt_studio.core.config import RunConfig
from gpt_studio.engine.device import keep_memory


class Elsewhere:
    """Calling it makes a step there, and waits for its end.

    Raises:
        RuntimeError: it failed there.
    """

    def __init__(self, name: str, config: RunConfig) -> None:
        processes = multiprocessing.get_context("spawn")
        self._pipe, there = processes.Pipe()
        work = (there, name, config, torch.get_num_threads())
        self._process = processes.Process(target=_serve, args=work, daemon=True)
        self._process.start()
        there.close()
        self._failure = self._answer()

    def __call__(self) -> None:
        if not self._failure:
            self._pipe.send("step")
            self._failure = self._answer()
        if self._failure:
            raise RuntimeError(self._failure)

    def _answer(self) -> str:
        """Nothing when it is ready for a step, otherwise what is wrong."""
        try:
            return str(self._pipe.recv())
        except (EOFError, OSError):
            return "the process ended"

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)
        self._process.kill()


def _serve(pipe: Connection, name: str, config: RunConfig, threads: int) -> None:
    """Make a step for each word; say "" before and after each, or what is wrong, and end."""
    try:
        step = _step(name, config, threads)
        while True:
            pipe.send("")
            pipe.recv()
            step()
    except EOFError:
        pass
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


def _step(name: str, config: RunConfig, threads: int) -> Callable[[], Any]:
    """A step as it is made in a program of this library's own."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    library = name.removesuffix(" compiled")
    if library == OURS:
        keep_memory()
    trainer = make_trainer(library, config, compiled=library != name)
    ids = torch.randint(config.model.vocab_size, (config.train.batch_size, config.model.max_length + 1))
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    return lambda: trainer.step(x, y)
