"""README.md: its programs compile and run, its commands run and print the shown output, and the commands
that it names exist. All pages in the root and in core: the files and tests that they name exist.

    readme.py ROOT BUILD_FOLDER CC CXX LIBRARY [KYMO KYMOFS]
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

import console

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# The program around the fragments of README, which are blocks of C without main().
FRAGMENTS = """#include "imu.h"
#include <stdio.h>

int main(void)
{
    const struct kymo_options options = {.depth = 256};
    struct imu reading = {{0, 0, 0}, 0};
    struct imu_writer *writer;
    struct imu_reader *reader;
    struct kymo_record record;

    if (imu_writer_open(&writer, "imu", &options) || imu_reader_open(&reader, "imu"))
        return 1;
%s
    printf("newest: %%g\\n", reading.temperature);
    imu_reader_close(reader);
    imu_writer_close(writer);
    return 0;
}
"""
PATH = re.compile(r"`((?:core|fusefs|tools|bench|tests|\.ci)/[A-Za-z0-9_./]*|[A-Z]+\.md)`")

failures = 0


def fail(what):
    global failures
    failures += 1
    print(what)


def blocks(text, language):
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.M | re.S)


def call(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        fail(f"{' '.join(command)}\nreturns {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def programs(text, folder, compilers, library):
    """Compiles the programs of README, and runs them in the order of the page."""
    fragments, sources = [], {}
    for block in blocks(text, "c") + blocks(text, "cpp"):
        name = re.match(r"(?:/\*|//) (\w+\.\w+)", block)
        if name:
            sources[name.group(1)] = block
        else:
            fragments.append("{\n" + block + "}\n")
    if not fragments or not {"imu.h", "writer.c", "reader.c"} <= set(sources):
        fail("README.md: the programs or the fragments are missing")
    sources["fragments.c"] = FRAGMENTS % "".join(fragments)
    for name, source in sources.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(source)
    printed = {}
    for name in sources:
        base, extension = os.path.splitext(name)
        if extension == ".h":
            continue
        command = compilers[extension] + WARNINGS + [name, library, "-pthread", "-o", base]
        call(command, folder)
        if os.path.exists(os.path.join(folder, base)):
            printed[base] = call([os.path.join(folder, base)], folder)
    expected = {
        "reader": r"21\.5 degC at [0-9]+\n",
        "viewer": r"1920 x 1080, 128\n",
        "fragments": r"writer: alive\nnewest: 22\n",
    }
    for name, pattern in expected.items():
        if not re.fullmatch(pattern, printed.get(name, "")):
            fail(f"README.md: {name} prints {printed.get(name)!r}")


def sessions(text, folder, kymo, kymofs):
    """Runs the commands with a prompt. Commands without one install files or need a reboot."""
    if not os.access("/dev/fuse", os.W_OK):
        print("/dev/fuse is not writable: the commands are not run")
        return
    env = console.environment(folder, kymo, kymofs)
    try:
        for block in blocks(text, "sh"):
            console.check(block, folder, env, lambda what: fail(f"README.md: {what}"))
        status, output = console.run("KYMO_DIR=$ELSEWHERE kymo get sensor --field x", folder, env)
        if status or output != "2.5\n":
            fail(f"README.md: the other machine's newest record is {output}")
    finally:
        subprocess.run(["fusermount3", "-u", os.path.join(folder, "view")], check=False)


def names(text, root, build, kymo):
    if kymo:
        listed = subprocess.run([kymo, "--help"], capture_output=True, text=True, check=True).stdout
        commands = set(re.findall(r"^  ([a-z]+) {2,}", listed, re.M))
        rows = re.findall(r"^\| (`kymo [a-z]+.*?) \| ", text, re.M)
        shown = set(re.findall(r"`kymo ([a-z]+)", "".join(rows)))
        if commands != shown:
            fail(f"README.md: has the commands {sorted(shown)}, kymo has {sorted(commands)}")
    known = subprocess.run(["ctest", "--test-dir", build, "-N"], capture_output=True, text=True, check=True)
    tests = re.findall(r"^ +Test +#[0-9]+: (\S+)", known.stdout, re.M)
    # Parts that are not built have no tests.
    parts = {test.split(".")[0] for test in tests}
    for page in sorted(glob.glob(os.path.join(root, "*.md")) + glob.glob(os.path.join(root, "core", "*.md"))):
        with open(page, encoding="utf-8") as file:
            content = file.read()
        where = os.path.relpath(page, root)
        for name in re.findall(r"ctest --test-dir build -R '?\^?([a-z_.]+)", content):
            if name.split(".")[0] in parts and name not in tests:
                fail(f"{where}: there is no test {name}")
        for path in PATH.findall(content):
            if not any(os.path.exists(os.path.join(root, folder, path)) for folder in ("", "core")):
                fail(f"{where}: names {path}, which does not exist")


def main():
    root, build, compiler, compiler_cxx, library = sys.argv[1:6]
    kymo, kymofs = sys.argv[6:8] if len(sys.argv) > 7 else (None, None)
    include = "-I" + os.path.join(root, "core", "include")
    compilers = {".c": [compiler, "-std=c11", include], ".cpp": [compiler_cxx, "-std=c++17", include]}
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        text = file.read()
    if len(text.splitlines()) > 300:
        fail("README.md is longer than 300 lines")
    names(text, root, build, kymo)
    with tempfile.TemporaryDirectory() as folder:
        programs(text, folder, compilers, library)
        if kymo:
            sessions(text, folder, kymo, kymofs)
    print(f"README.md: {failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
