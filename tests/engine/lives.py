"""A process that trains one run whole, then forks a child for each life of another: started by test_replay.

So all that takes long to import is there. Reads a life a line (JSON): train in `folder` by `config`, go on
if there is a checkpoint. Kill it `delay` seconds after training began, or at its `write`-th write to a file,
half done; None and 0 let it live. Says of each how it ended, and whether it died inside a save.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from gpt_studio.core import line_file
from gpt_studio.core.config import RunConfig
from gpt_studio.core.requests import Open, Train
from gpt_studio.core.run_events import RunBegun
from gpt_studio.core.runs import RunFolder, read_about
from gpt_studio.engine import saving
from gpt_studio.engine.session import open_session


def live(folder, config, begun, write):
    saving.PIECE = 1 << 10  # many writes
    if write:
        die_at(write)
    session = open_session()
    resumes = folder.last.exists()
    if read_about(folder).get("status") == "finished":
        return  # it was killed after all was done
    if resumes:
        for _ in session.start(Open(str(folder.last))):
            pass
    for event in session.start(Train(config, resumes, str(folder.path))):
        if isinstance(event, RunBegun):
            os.write(begun, b"!")


def die_at(write):
    """Be killed in the middle of a write, by the thread that writes."""
    real, left = os.write, [write]

    def dying(file, data):
        left[0] -= 1
        if left[0] == 0:
            real(file, bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(file, data)

    line_file.os.write = dying


def main():
    whole = json.loads(sys.stdin.readline())
    begun = time.perf_counter()
    with Path(os.devnull).open("wb") as nobody:
        live(RunFolder(Path(whole["folder"])), RunConfig.from_dict(whole["config"]), nobody.fileno(), 0)
    print(json.dumps(time.perf_counter() - begun), flush=True)
    for line in sys.stdin:
        life = json.loads(line)
        folder = RunFolder(Path(life["folder"]))
        sees, says = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                live(folder, RunConfig.from_dict(life["config"]), says, life["write"])
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        os.close(says)
        os.read(sees, 1)  # nothing, if it ended before
        os.close(sees)
        if life["delay"] is not None:
            time.sleep(life["delay"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        half = any(folder.last.parent.glob("*.partial"))
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "inside": half}), flush=True)


if __name__ == "__main__":
    main()
