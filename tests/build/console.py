"""Runs the terminal sessions that documentation shows: lines "$ COMMAND", each followed by its output.

Numbers of nine digits and more (times) may differ from those shown.
"""

import os
import re
import signal
import subprocess

# The run time of a command that runs until it is interrupted, seconds.
LIMIT = 2
ENDLESS = re.compile(r"\bkymo watch\b|/stream\b")

SSH = """#!/bin/sh
# A replacement for ssh: another machine is another segment directory.
shift
KYMO_DIR="$ELSEWHERE" exec sh -c "$*"
"""


def commands(text):
    """Pairs of a command and the output shown below it, from the text of one session."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return [(command, "".join(line + "\n" for line in output)) for command, output in found]


def same_numbers(text):
    return re.sub(r"[0-9]{9,}", "N", text)


def environment(folder, *programs):
    """The environment for commands in `folder`: these programs and a replacement for ssh in PATH."""
    tools = os.path.join(folder, ".bin")
    elsewhere = os.path.join(folder, ".elsewhere")
    os.mkdir(tools)
    os.mkdir(elsewhere)
    with open(os.path.join(tools, "ssh"), "w", encoding="utf-8") as file:
        file.write(SSH)
    os.chmod(os.path.join(tools, "ssh"), 0o755)
    path = [tools] + [os.path.dirname(program) for program in programs]
    return dict(os.environ, PATH=":".join(path + [os.environ["PATH"]]), ELSEWHERE=elsewhere)


def run(command, folder, env):
    """Returns the exit status and the output. An endless command is interrupted, and its status is 0."""
    process = subprocess.Popen(
        ["bash", "-c", "set -o pipefail; " + command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    endless = bool(ENDLESS.search(command))
    try:
        output, _ = process.communicate(timeout=LIMIT if endless else 60)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return (0 if endless else 1), output


def check(text, folder, env, fail):
    """Runs one session; calls fail(text) for each command that fails or prints other output."""
    for command, expected in commands(text):
        status, output = run(command, folder, env)
        if status:
            fail(f"$ {command}\nreturns {status}\n{output}")
        # Output that is not shown is not compared.
        elif expected and same_numbers(output) != same_numbers(expected):
            fail(f"$ {command}\nprints\n{output}instead of\n{expected}")
