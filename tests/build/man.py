"""The manual: every page is valid mdoc, its synopsis equals the declarations of the headers, its examples
run and print the shown output, every public function has a page, every test that kymo(7) names exists.

    man.py ROOT CC CXX LIBRARY   CC and CXX compile the examples; LIBRARY is the static libkymo
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import named_tests

# Not documented function by function: see kymo_layout(5).
INTERNAL_HEADERS = ("atomic.h",)
# Pages of other parts (see commands.py) and of the system.
OTHER_PAGES = {"kymo.1", "kymofs.8", "fork.2", "shm_overview.7"}
PROTOTYPE = re.compile(
    r"(?:KYMO_EXPORT|KYMO_INLINE)\s+([\w\s*]*?)\b(kymo_\w+)\(([^{};]*?)\)\s*"
    r"(?:__attribute__\(\([^;]*?\)\)\s*)?[;{]"
)
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# Escape sequences of roff.
ESCAPES = {"\\e": "\\", "\\-": "-", "\\(aq": "'", "\\(ga": "`", "\\(ha": "^", "\\(ti": "~", "\\&": ""}

failures = 0


def fail(page, what):
    global failures
    failures += 1
    print(f"{page}: {what}")


def squeeze(text):
    """Normalizes declarations: blanks only between two words."""
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r" ?([*(),]) ?", r"\1", text)


def unescape(line):
    return re.sub(r"\\(?:\(..|.)", lambda found: ESCAPES[found.group()], line)


# ---- lint ----


def lint(pages):
    if shutil.which("mandoc"):
        command = ["mandoc", "-T", "lint", "-W", "warning"]
    elif shutil.which("groff"):
        command = ["groff", "-ww", "-t", "-mandoc", "-Tutf8", "-z"]
    else:
        print("neither mandoc nor groff is installed")
        if os.environ.get("CI") == "true":
            fail("lint", "the pages were not checked")
        return
    for path in pages:
        lint_result = subprocess.run(command + [path], capture_output=True, text=True, check=False)
        lines = [line for line in (lint_result.stdout + lint_result.stderr).splitlines() if "mandoc.db" not in line]
        for line in lines:
            fail(path, line)


# ---- synopsis against headers ----


def declared(include):
    """The declarations of the public headers: name -> (return type, arguments), normalized."""
    found = {}
    for path in sorted(glob.glob(os.path.join(include, "kymo", "*.h"))):
        if os.path.basename(path) in INTERNAL_HEADERS:
            continue
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.S)
        text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)
        for returns, name, arguments in PROTOTYPE.findall(text):
            found[name] = (squeeze(returns), squeeze(arguments))
    return found


def synopsis(lines):
    """The declarations of a page, in the same form."""
    found, section, returns, name, arguments = {}, None, None, None, []
    for line in lines:
        words = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line)]
        if line.startswith(".Sh "):
            section = line[4:]
        if section != "SYNOPSIS" or not words:
            continue
        if words[0] == ".Ft":
            returns = words[1]
        elif words[0] == ".Fn" and returns:
            found[words[1]] = (squeeze(returns), squeeze(",".join(words[2:])))
        elif words[0] == ".Fo":
            name, arguments = words[1], []
        elif words[0] == ".Fa" and name:
            arguments.append(words[1])
        elif words[0] == ".Fc":
            found[name] = (squeeze(returns), squeeze(",".join(arguments)))
            name = None
    return found


def compare(pages, include):
    headers, described = declared(include), set()
    for path, lines in pages.items():
        names = {line.split()[1] for line in lines if line.startswith(".Nm ")}
        for name, prototype in synopsis(lines).items():
            described.add(name)
            if name not in headers:
                fail(path, f"{name} is in no header")
            elif headers[name] != prototype:
                fail(path, f"{name} is {prototype}, but the header has {headers[name]}")
            if name not in names:
                fail(path, f"{name} is not in NAME")
    for name in sorted(headers):
        if name not in described:
            fail("headers", f"{name} has no page")


# ---- examples ----


def displays(lines):
    """The literal displays of a page's EXAMPLES."""
    section, display = None, None
    for line in lines:
        if line.startswith(".Sh "):
            section = line[4:]
        if section != "EXAMPLES":
            continue
        if line.startswith(".Bd -literal"):
            display = []
        elif line == ".Ed" and display is not None:
            yield "\n".join(display) + "\n"
            display = None
        elif display is not None:
            display.append(unescape(line))


def run(path, number, program, expected, tools):
    compiler, source = (tools["c"], "example.c")
    if "kymo.hpp" in program:
        compiler, source = (tools["c++"], "example.cpp")
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, source), "w", encoding="utf-8") as file:
            file.write(program)
        command = compiler + WARNINGS + [source, tools["library"], "-pthread", "-o", "example"]
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if built.returncode:
            fail(path, f"example {number} does not compile\n{built.stderr}")
            return
        ran = subprocess.run(
            [os.path.join(folder, "example")], capture_output=True, text=True, timeout=60, check=False
        )
    if ran.returncode:
        fail(path, f"example {number} returns {ran.returncode}\n{ran.stderr}")
    elif ran.stdout != expected:
        fail(path, f"example {number} prints\n{ran.stdout}instead of\n{expected}")


def examples(path, lines, tools):
    shown = list(displays(lines))
    programs = [i for i, text in enumerate(shown) if text.startswith("#include")]
    if not programs:
        fail(path, "has no example")
    for i in programs:
        expected = shown[i + 1] if i + 1 < len(shown) and i + 1 not in programs else ""
        run(path, i + 1, shown[i], expected, tools)


def check_typed(path, lines, tools):
    """The functions that kymo_typed(3) lists exist: a program takes the address of each."""
    ring, queue = "\n".join(lines).split(".Fn KYMO_QUEUE_TYPE\ndefines")
    for macro, text, least in (("KYMO_RING_TYPE", ring, 20), ("KYMO_QUEUE_TYPE", queue, 9)):
        names = re.findall(r"^(?:int|void|uint64_t) +name_(\w+)\(", text, re.M)
        if len(names) < least:
            fail(path, f"lists {len(names)} functions of {macro}, must be at least {least}")
        uses = "".join(f"    (void)&number_{name};\n" for name in names)
        program = f"#include <kymo/typed.h>\n\n{macro}(number, double);\n\nint main(void)\n{{\n{uses}}}\n"
        run(path, f"of {macro}", program, "", tools)


# ---- references ----


def references(pages):
    names = {os.path.basename(path) for path in pages} | OTHER_PAGES
    for path, lines in pages.items():
        for line in lines:
            found = re.match(r"\.Xr (\S+) (\d)", line)
            if found and f"{found.group(1)}.{found.group(2)}" not in names:
                fail(path, f"there is no {found.group(1)}({found.group(2)})")


def check_tests(pages, root):
    """The third cell of each row of kymo(7)'s table names a test: suite/test, or a script's path. In
    the page \\: permits a line break."""
    texts = {}
    for path in glob.glob(os.path.join(root, "tests", "**", "*"), recursive=True):
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                texts[os.path.relpath(path, root)] = file.read()
    tests = named_tests.of(texts)
    tour = next(lines for path, lines in pages.items() if path.endswith("kymo.7"))
    table = "\n".join(tour[tour.index(".TS") : tour.index(".TE")]).replace("\\:", "")
    cells = re.findall(r"T\{\n(.*?)\nT\}", table, re.S)
    if len(cells) % 3 or len(cells) < 90:
        fail("kymo.7", f"{len(cells)} cells cells: must be three columns and at least 30 rows")
    for what, test in zip(cells[0::3], cells[2::3]):
        name = test.replace("\\fI", "").replace("\\fR", "")
        if name not in tests:
            fail("kymo.7", f"{what}: there is no test {name}")


def main():
    root, compiler, compiler_cxx, library = sys.argv[1:5]
    include = os.path.join(root, "core", "include")
    flags = [f"-I{include}"]
    tools = {
        "c": [compiler, "-std=c11"] + flags,
        "c++": [compiler_cxx, "-std=c++17"] + flags,
        "library": library,
    }
    pages = {}
    for path in sorted(glob.glob(os.path.join(root, "core", "man", "*.[0-9]"))):
        with open(path, encoding="utf-8") as file:
            pages[path] = file.read().splitlines()
    lint(pages)
    compare(pages, include)
    references(pages)
    check_tests(pages, root)
    for path, lines in pages.items():
        examples(path, lines, tools)
        if path.endswith("kymo_typed.3"):
            check_typed(path, lines, tools)
    print(f"{len(pages)} pages, {failures} failures")
    return failures > 0 or not pages


if __name__ == "__main__":
    sys.exit(main())
