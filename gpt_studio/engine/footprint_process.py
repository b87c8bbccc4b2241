"""Finds the exact memory of a training step in a process of its own.

In this process training and chat would stand still for seconds: tensors without data change how all tensors
of a process work. Started with a device; the config comes in as JSON, the bytes go out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from subprocess import PIPE

from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.paths import PACKAGE

PAUSE = 0.005  # seconds between two looks at the process; others have their turn meanwhile


def peak_elsewhere(config: RunConfig, device: str) -> Generator[None, None, int]:
    """The peak of `engine.footprint` in bytes. Closing it stops the process.

    Raises:
        StudioError: the process could not be started, or failed.
    """
    command = [sys.executable, "-P", "-m", __name__, device]
    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW
    try:
        process = subprocess.Popen(
            command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, creationflags=flags
        )
    except OSError as error:
        raise _failed(str(error)) from error
    with process:
        try:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            process.stdin.write(json.dumps(config.to_dict()).encode())
            process.stdin.close()
            while process.poll() is None:
                time.sleep(PAUSE)
                yield None
            if process.returncode:
                raise _failed(process.stderr.read().decode(errors="replace")[-2000:])
            return int(process.stdout.read())
        except OSError as error:  # it ended before it had read all
            raise _failed(str(error)) from error
        finally:
            process.kill()


def _failed(why: str) -> StudioError:
    last = (why.strip() or "it ended").splitlines()[-1]
    return StudioError(f"The memory could not be checked: {last}")


def main(device: str) -> None:
    if hasattr(os, "nice"):
        os.nice(5)  # training and chat go first
    from gpt_studio.engine.footprint import peak

    config = RunConfig.from_dict(json.load(sys.stdin))
    print(peak(config, device), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
