"""Reads Prometheus text as strictly as anybody might: prints each sample as NAME{LABELS} VALUE, with
the labels in order and the values as they stand, and returns 1 with a reason where something is wrong.

    exposition.py < metrics.prom
"""

import re
import sys

NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
HEADER = re.compile(rf"# (HELP|TYPE) ({NAME}) (.+)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? ([^ ]+)")
LABEL = re.compile(rf'({NAME})="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
NUMBER = re.compile(r"NaN|[+-]Inf|-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")


def fail(number, line, what):
    sys.exit(f"line {number}: {what}: {line}")


def labels_of(text, number, line):
    found, at = {}, 0
    while at < len(text):
        label = LABEL.match(text, at)
        if not label or label.group(1) in found:
            fail(number, line, "labels")
        found[label.group(1)] = label.group(2)
        at = label.end()
    return found


def main():
    data = sys.stdin.buffer.read()
    if data and not data.endswith(b"\n"):
        sys.exit("the last line has no end")
    families, samples = {}, set()
    name = None
    for number, line in enumerate(data.decode("utf-8").split("\n")[:-1], 1):
        header = HEADER.fullmatch(line)
        if header:
            kind, of, text = header.groups()
            if kind == "HELP":
                if of in families:
                    fail(number, line, "the second group of that name")
                if re.search(r"\\(?![\\n])", text.replace("\\\\", "")):
                    fail(number, line, "what is escaped?")
                name, families[of] = of, None
            elif of != name or families[of]:
                fail(number, line, "TYPE comes once, and after HELP")
            elif text not in ("counter", "gauge"):
                fail(number, line, "no such type")
            else:
                families[of] = text
            continue
        sample = SAMPLE.fullmatch(line)
        if not sample or not NUMBER.fullmatch(sample.group(3)):
            fail(number, line, "neither header nor sample, or with a timestamp")
        if sample.group(1) != name or not families[name]:
            fail(number, line, "a sample outside its group")
        labels = labels_of(sample.group(2) or "", number, line)
        spelled = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        spelled = f"{name}{{{spelled}}}"
        if spelled in samples:
            fail(number, line, "twice")
        samples.add(spelled)
        print(spelled, sample.group(3))


main()
