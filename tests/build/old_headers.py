"""All parts compile with the headers of Linux 5.4 and glibc 2.31: those of this machine without what is newer.

    old_headers.py ROOT BUILD_FOLDER
"""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PARTS = ("core/src", "fusefs", "tools", "bench", "tests/unit", "tests/sched/explored_kernel.c", "tests/stress/clocks.c")


def compile_old(entry, hidden):
    command = shlex.split(entry["command"])
    command[command.index("-o") + 1] = "/dev/null"
    command[1:1] = ["-include", hidden, "-fsyntax-only"]
    result = subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True, check=False)
    if result.returncode:
        print(result.stderr)
    return result.returncode


def main(root, build):
    path = os.path.join(build, "compile_commands.json")
    if not os.path.exists(path):
        print(f"{path} does not exist")
        return 77
    with open(path, encoding="utf-8") as file:
        entries = {os.path.relpath(entry["file"], root): entry for entry in json.load(file)}
    chosen = [entry for name, entry in entries.items() if name.startswith(PARTS) and name.endswith(".c")]
    hidden = os.path.join(root, "tests/build/old_headers.h")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = sum(1 for status in pool.map(lambda entry: compile_old(entry, hidden), chosen) if status)
    print(f"{len(chosen)} files, {failed} do not compile")
    return 1 if failed or len(chosen) < 50 else 0


sys.exit(main(*sys.argv[1:]))
