"""The house rules that a compiler does not know: who includes whom, who names a memory order, that
every ordering has two sides. Prints each breach as FILE:LINE: WHAT, and returns 1 if there is one.

    rules.py ROOT
"""

import os
import re
import sys

import named_tests

PARTS = ("core", "fusefs", "tools", "bench", "tests")
MEMORY_ORDER = re.compile(r"__atomic_\w+|__ATOMIC_\w+|__sync_\w+|\b_Atomic\b|stdatomic|memory_order|<atomic>|\b[lms]fence\b|_mm_[lms]fence|\bdmb\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
# "SEQ-1 (release fence)" names one side of an ordering.
SIDE = re.compile(r"\b([A-Z]+-[0-9]+) \(")
# The functions of atomic.h that order.
ORDERED = re.compile(r"kymo_(load_acquire|store_release|fence_(acquire|release|stores)|\w+_ordered)(32)?\b")
# Libraries that are not libc.
FOREIGN = re.compile(r"^(fuse|urcu|lttng|jansson|ck_|criterion|curses|ncurses|png|zlib)")
# Calls that wait for the inode lock of a directory, or for a page, which a thread that waits for a reply
# of kymofs may hold: if kymofs is killed inside such a call, both hang.
WAITING = re.compile(r"fuse_lowlevel_notify_(inval|expire|delete|store|retrieve)\w*")

# Calls that make a descriptor.
DESCRIPTOR = re.compile(
    r"\b(open|openat|openat2|opendir|fopen|creat|dup2?|pipe2?|socket|accept4?|eventfd|signalfd|memfd_create|"
    r"epoll_create1?|inotify_init1?|timerfd_create|mkstemp)\("
)
MAY_INCLUDE = {
    "fuse": ("fusefs/fuse/", "fusefs/stream/", "fusefs/daemon/main.c"),
    "urcu": ("fusefs/registry/registry_internal.h",),
}

# Words that comments, pages and messages do not use: standard terms exist.
QUAINT = re.compile(
    r"\b(whoever|whomever|whom|anybody|somebody|(?<!user )nobody|everybody|meanwhile|himself|who asks|is told|are told|"
    r"let go|lets go|go on with|come by|comes by|came by|guests?|deeds?|of so many|be gone|has gone|have gone|"
    r"told|swept up|does without)\b", re.I)
UNCHECKED = ("tools/kymo/host.c",)  # guest time, of /proc/stat

breaches = 0


def breach(path, line, what):
    global breaches
    breaches += 1
    print(f"{path}:{line}: {what}")


def read_tree(root):
    """All texts of the project, by their path from the root."""
    texts = {}
    for part in PARTS + (".ci",):
        for folder, folders, files in os.walk(os.path.join(root, part)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in files:
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8", errors="replace") as file:
                    texts[os.path.relpath(path, root)] = file.read()
    for name in os.listdir(root):
        path = os.path.join(root, name)
        if os.path.isfile(path) and name != ".git":
            with open(path, encoding="utf-8", errors="replace") as file:
                texts[name] = file.read()
    return texts


def is_code(path):
    return path.endswith((".c", ".h", ".cpp", ".hpp"))


def blank_comments(text):
    """The code alone, with every line where it was."""
    return COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment.group()), text)


def lines_of(text):
    return enumerate(text.splitlines(), 1)


def check_memory_orders(path, text):
    """Only atomic.h names a memory order; tests and benchmarks may."""
    if not path.startswith(("core/", "fusefs/", "tools/")) or path.endswith("kymo/atomic.h"):
        return
    for number, line in lines_of(blank_comments(text)):
        found = MEMORY_ORDER.search(line)
        if found:
            breach(path, number, f"{found.group()}: only atomic.h names a memory order")


def check_include(path, number, quote, name):
    part = path.split("/")[0]
    if quote == '"':
        # A public header includes the headers of kymo/impl that define its macros.
        if "/" in name and part not in ("fusefs", "tests"):
            breach(path, number, f'"{name}": quotes are for headers of the same folder')
        if name == "internal.h" and not path.startswith("core/src/"):
            breach(path, number, "internal.h is for core/src")
        return
    if part == "core" and FOREIGN.match(name):
        breach(path, number, f"<{name}>: core depends on libc alone")
    if part in ("core", "fusefs", "tools"):
        for library, allowed in MAY_INCLUDE.items():
            if name.startswith(library) and not path.startswith(allowed):
                breach(path, number, f"<{name}>: only {', '.join(allowed)} include {library}")


def check_includes(path, text):
    for number, line in lines_of(blank_comments(text)):
        found = INCLUDE.match(line)
        if found:
            check_include(path, number, found.group(1), found.group(2))


def find_header(path, name, texts):
    """The file of an include in quotes: in the same folder, or in fusefs below that folder."""
    folders = [os.path.dirname(path)] + ["fusefs"] * path.startswith("fusefs/")
    for folder in folders:
        if f"{folder}/{name}" in texts:
            return f"{folder}/{name}"
    return None


def check_neighbours(texts):
    """Includes in quotes stay within a part; fusefs, tools and bench include core as <kymo/...>."""
    for path, text in texts.items():
        part = path.split("/")[0]
        if not is_code(path) or part not in ("fusefs", "tools", "bench"):
            continue
        for number, line in lines_of(blank_comments(text)):
            found = INCLUDE.match(line)
            if found and found.group(1) == '"' and not find_header(path, found.group(2), texts):
                breach(path, number, f'"{found.group(2)}" is not in {part}/')
            if found and found.group(1) == "<" and found.group(2).startswith("kymo/"):
                if f"core/include/{found.group(2)}" not in texts:
                    breach(path, number, f"<{found.group(2)}> is no public header")


def check_impl(path, text):
    """Helpers of inline functions have the prefix kymo_impl_, are in kymo/impl, and are used by core and tests only."""
    public = re.match(r"core/include/kymo/\w+\.h$", path)
    user = path.startswith(("fusefs/", "tools/", "bench/", "core/examples/"))
    for number, line in lines_of(blank_comments(text)):
        if user and re.search(r"kymo_impl_|KYMO_IMPL_|kymo/impl/", line):
            breach(path, number, "kymo/impl is for the library's own inline bodies")
        if public and re.match(r"\w.*\bkymo_impl_\w+\(", line):
            breach(path, number, "a helper of inline bodies belongs into kymo/impl")
        if path.startswith("core/include/") and re.search(r"\*\*\)\s*\(void \*\)", line):
            breach(path, number, "a pointer of one type is stored through a pointer of another")


def read_layers(texts):
    """The table of fusefs/README.md: for each folder, those that it may include."""
    layers = {}
    for line in texts.get("fusefs/README.md", "").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[1] not in ("folder", "---"):
            layers[cells[1]] = set(cells[3].split()) - {"-"}
    return layers


def includes_of(path, text, texts):
    for number, line in lines_of(blank_comments(text)):
        found = INCLUDE.match(line)
        header = found and found.group(1) == '"' and find_header(path, found.group(2), texts)
        if header:
            yield number, header


def defined_in(text):
    """The functions that a source file defines for others."""
    code = blank_comments(text)
    for found in re.finditer(r"^(?!static)[a-z][^;{}=]*?\b(\w+)\([^;{}]*\)\n{", code, re.M):
        yield found.group(1)


def find_cycles(needs):
    """The keys on a cycle."""
    for start in needs:
        reached, pending = set(), list(needs[start])
        while pending:
            other = pending.pop()
            if other not in reached:
                reached.add(other)
                pending += needs.get(other, ())
        if start in reached:
            yield start


def check_layers(texts):
    """The folders of fusefs include lower ones only, and its files have no cycle."""
    layers = read_layers(texts)
    files = {path: text for path, text in texts.items() if path.startswith("fusefs/") and is_code(path)}
    owners = {name: path for path, text in files.items() for name in defined_in(text)}
    needs = {}
    for path, text in files.items():
        folder = path.split("/")[1]
        for number, header in includes_of(path, text, texts):
            other = header.split("/")[1]
            if other != folder and other not in layers.get(folder, set()):
                breach(path, number, f"{folder}/ may not include {other}/ (fusefs/README.md)")
        if path.endswith(".c"):
            calls = set(re.findall(r"(?<![.>\w])(\w+)\(", blank_comments(text)))
            own = set(re.findall(r"^static [^;{}=]*?\b(\w+)\([^;{}]*\)\n{", blank_comments(text), re.M))
            needs[path] = {owners[call] for call in (calls - own) & set(owners)} - {path}
    for path in find_cycles(needs):
        breach(path, 1, "depends on itself through other files")
    if len(layers) < 7 or len(owners) < 100:
        breach("fusefs/README.md", 1, "the table of folders or the files were not found")


def check_lengths(path, text):
    """In fusefs a file has at most 500 lines, and a function fits on a screen."""
    if not path.startswith("fusefs/"):
        return
    lines = text.splitlines()
    if len(lines) > 500:
        breach(path, 500, f"{len(lines)} lines")
    start = 0
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start > 50:
                breach(path, start, f"a function of {number - start} lines")
            start = 0


def check_orderings(texts):
    """Every ordering is named on both of its sides."""
    sides = {}
    for path, text in texts.items():
        if path.startswith("core/") and is_code(path):
            for number, line in lines_of(text):
                for name in SIDE.findall(line):
                    sides.setdefault(name, []).append((path, number))
    proofs = texts.get("core/ORDERING.md", "")
    proved = set()
    for line in proofs.splitlines():
        if line.startswith("|"):
            proved |= set(re.findall(r"\b[A-Z]+-[0-9]+\b", line.split("|")[1]))
    for name, places in sorted(sides.items()):
        if len(places) < 2:
            breach(*places[0], f"{name} is named on one side only")
        if name not in proved:
            breach(*places[0], f"{name} is not in the table of ORDERING.md")
    for name in sorted(proved - set(sides)):
        breach("core/ORDERING.md", 1, f"{name} is not in the code")
    if not sides:
        breach("core/ORDERING.md", 1, "no ordering was found")


def check_crash_sites(texts):
    """CRASH.md lists exactly the test points of core, and names existing tests only."""
    sites = {}
    for path, text in texts.items():
        if path.startswith("core/") and is_code(path):
            for number, line in lines_of(blank_comments(text)):
                for name in re.findall(r"KYMO_TESTPOINT\(([A-Z_]+)\)", line):
                    sites.setdefault(name, (path, number))
    tests = named_tests.of(texts)
    page = "core/CRASH.md"
    named = set()
    for number, line in lines_of(texts.get(page, "")):
        for name in re.findall(r"`([A-Z][A-Z_]+)`", line):
            named.add(name)
            if name not in sites:
                breach(page, number, f"{name} is not in the code")
        for test in re.findall(r"`(\w+/\w+)`", line):
            if test not in tests:
                breach(page, number, f"there is no test {test}")
        if line.startswith("| ") and not line.startswith("| killed after") and "/" not in line.split("|")[-2]:
            breach(page, number, "no test is named")
    for name, place in sorted(sites.items()):
        if name not in named:
            breach(*place, f"{name} is not in CRASH.md")
    if not sites or not tests:
        breach(page, 1, "no site or no test was found")


def check_named(path, text):
    """Every use of an ordering is named by a comment in its function or directly above it."""
    if not path.startswith(("core/src/", "core/include/")) or path.endswith("kymo/atomic.h"):
        return
    uses, named = [], False
    code = blank_comments(text).splitlines()
    for number, line in lines_of(text):
        named = named or bool(SIDE.search(line))
        found = ORDERED.search(code[number - 1])
        if found:
            uses.append((number, found.group()))
        if line.startswith("}"):
            for use in [] if named else uses:
                breach(path, use[0], f"{use[1]} without the name of its ordering")
            uses, named = [], False


def check_claims(texts):
    """Each claim of SECURITY.md names existing tests."""
    page = "core/SECURITY.md"
    tests = named_tests.of(texts)
    claims = 0
    for number, line in lines_of(texts.get(page, "")):
        cells = line.split("|")
        if len(cells) != 4 or cells[1].strip() in ("claim", "---"):
            continue
        claims += 1
        named = re.findall(r"`([^`]+)`", cells[2])
        if not named:
            breach(page, number, "no test is named")
        for test in named:
            if test not in tests:
                breach(page, number, f"there is no test {test}")
    if claims < 20:
        breach(page, 1, f"only {claims} claims were found")


def check_words(path, text):
    """The source has no unfinished parts and no paths of one machine."""
    if path == "tests/build/rules.py":
        return
    for number, line in lines_of(text):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            breach(path, number, "unfinished work")
        if re.search(r"(^|[\s\"'=(])/(work|home)/", line):
            breach(path, number, "a path of one machine")


def prose_of(path, text):
    """The prose of a file, by line: comments of code and scripts, string literals, pages."""
    if path.endswith((".md", ".1", ".3", ".5", ".7", ".8")):
        yield from lines_of(text)
    elif is_code(path):
        for (number, line), (_, code) in zip(lines_of(text), lines_of(blank_comments(text))):
            strings = re.findall(r'"(?:[^"\\]|\\.)*"', code)
            yield number, line if line != code else " ".join(strings)
    else:
        for number, line in lines_of(text):
            found = re.search(r"(^|\s)#\s(.*)", line)
            yield number, found.group(2) if found else ""


def check_language(path, text):
    """Comments, pages and messages use standard terms, and sentences whose subject is the mechanism."""
    if path in ("tests/build/rules.py", "LICENSE") or path.startswith(UNCHECKED):
        return
    for number, line in prose_of(path, text):
        found = QUAINT.search(line)
        if found:
            breach(path, number, f'"{found.group()}": name the mechanism (a caller, a thread, a process)')


def check_repetition(texts):
    """A source file does not repeat a comment of its header."""
    said = {}
    for path, text in texts.items():
        if path.endswith(".h"):
            for comment in COMMENT.findall(text):
                words = " ".join(re.sub(r"[/*]", " ", comment).split())
                if len(words) > 60:
                    said.setdefault(words, path)
    for path, text in texts.items():
        if path.endswith(".c") and path.startswith(("core/", "fusefs/", "tools/", "bench/")):
            for found in COMMENT.finditer(text):
                words = " ".join(re.sub(r"[/*]", " ", found.group()).split())
                if words in said:
                    breach(path, text.count("\n", 0, found.start()) + 1, f"repeats a comment of {said[words]}")


def check_causes(path, text):
    """If -EINVAL has several causes, the public header names the function that provides the diagnostic."""
    if not re.match(r"core/include/kymo/\w+\.h$", path):
        return
    for comment in COMMENT.finditer(text):
        words = " ".join(re.sub(r"^\s*/?\*+/?", " ", comment.group(), flags=re.M).split())
        for found in re.finditer(r"-EINVAL( \(\w+_diagnosed?\))?(?::| if) ([^.;]*)", words):
            if ", or " in found.group(2) and not found.group(1):
                line = text.count("\n", 0, comment.start()) + 1
                breach(path, line, f"-EINVAL: {found.group(2)}: name the function that provides the diagnostic")


def check_waiting(path, text):
    """kymofs never waits for a thread that may wait for kymofs."""
    for number, line in lines_of(blank_comments(text)) if path.startswith("fusefs/") else ():
        found = WAITING.search(line)
        if found:
            breach(path, number, f"{found.group()} waits for a thread that may wait for kymofs")


def check_descriptors(path, text):
    """The library's descriptors are above the standard ones: kymo_descriptor() takes each new one."""
    for number, line in lines_of(blank_comments(text)) if path.startswith("core/src/") else ():
        code = re.sub(r"kymo_descriptor\(\s*\w+\(", "", line)
        wrapped = text.splitlines()[number - 2].rstrip().endswith("kymo_descriptor(")
        found = DESCRIPTOR.search(code)
        if found and not wrapped:
            breach(path, number, f"{found.group(1)}() outside kymo_descriptor() may return 0, 1 or 2")


def check_opening(path, text):
    """A file begins with its name and purpose."""
    name = os.path.basename(path)
    if is_code(path) and not re.match(r"/\*\n \* " + re.escape(name) + r" - \S", text):
        breach(path, 1, f'does not begin with "{name} - purpose"')


def main(root):
    texts = read_tree(root)
    for path, text in sorted(texts.items()):
        check_words(path, text)
        if is_code(path):
            check_memory_orders(path, text)
            check_includes(path, text)
            check_impl(path, text)
            check_named(path, text)
            check_causes(path, text)
            check_waiting(path, text)
            check_descriptors(path, text)
            check_opening(path, text)
            check_lengths(path, text)
        check_language(path, text)
    check_neighbours(texts)
    check_layers(texts)
    check_repetition(texts)
    check_orderings(texts)
    check_crash_sites(texts)
    check_claims(texts)
    print(f"{len(texts)} files, {breaches} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
