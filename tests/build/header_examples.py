"""Every public header begins with its purpose, an example that compiles as C11 (*.h) and as C++17, and
the page that defines the promises.

    header_examples.py INCLUDE_FOLDER CC CXX

The example is the part of the first comment that is indented by four spaces and begins with #include.
"""

import glob
import os
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
PAGE = "kymo(7)"

failures = 0


def fail(path, what):
    global failures
    failures += 1
    print(f"{path}: {what}")


def first_comment(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split(" */", 1)[0].splitlines()[1:]
    return [line[3:] if line.startswith(" * ") else line[2:] for line in lines]


def example_of(comment):
    """The lines from #include to the last indented line."""
    found = []
    for line in comment:
        if not found and not line.startswith("    #include"):
            continue
        if line and not line.startswith("    "):
            break
        found.append(line[4:])
    return "\n".join(found).rstrip() + "\n" if found else None


def compiles(include, compiler, language, standard, code):
    command = [compiler, "-x", language, f"-std={standard}", *WARNINGS, f"-I{include}", "-fsyntax-only", "-"]
    result = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
    if result.returncode:
        print(result.stderr)
    return result.returncode == 0


def check(include, path, cc, cxx):
    name = os.path.basename(path)
    comment = first_comment(path)
    if not comment or not comment[0].startswith(f"{name} - "):
        fail(path, "the first line does not state the purpose")
    if not any(PAGE in line for line in comment):
        fail(path, f"does not name {PAGE}")
    code = example_of(comment)
    if not code:
        fail(path, "has no example")
        return
    if f"#include <kymo/{name}>" not in code:
        fail(path, "the example does not include the header")
    if name.endswith(".h") and not compiles(include, cc, "c", "c11", code):
        fail(path, "the example does not compile as C11")
    if not compiles(include, cxx, "c++", "c++17", code):
        fail(path, "the example does not compile as C++17")


def main(include, cc, cxx):
    paths = sorted(glob.glob(os.path.join(include, "kymo", "*.h*")))
    for path in paths:
        check(include, path, cc, cxx)
    print(f"count: examples in headers: {len(paths)}, {failures} failures")
    return 1 if failures or len(paths) < 25 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
