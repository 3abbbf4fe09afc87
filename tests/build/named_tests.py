"""What a page may call a test: suite/test as in "Test(suite, test", or a file below tests/."""

import re


def of(texts):
    """All such names, from texts by their path from the root."""
    tests = set()
    for path, text in texts.items():
        if not path.startswith("tests/"):
            continue
        tests.add(path[len("tests/") :])
        if path.endswith((".c", ".cpp")):
            tests |= {"/".join(names) for names in re.findall(r"^Test\((\w+), *(\w+)", text, re.M)}
    return tests
