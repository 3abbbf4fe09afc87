"""The names of tests in pages: suite/test as in "Test(suite, test", or a file below tests/."""

import re


def of(texts):
    """Returns all names; `texts` maps paths from the root to content."""
    tests = set()
    for path, text in texts.items():
        if not path.startswith("tests/"):
            continue
        tests.add(path[len("tests/") :])
        if path.endswith((".c", ".cpp")):
            tests |= {"/".join(names) for names in re.findall(r"^Test\((\w+), *(\w+)", text, re.M)}
    return tests
