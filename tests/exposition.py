"""A strict parser of Prometheus text: prints each sample as NAME{LABELS} VALUE, with sorted labels and
unchanged values. Returns 1 with a reason if the text is invalid.

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
            fail(number, line, "invalid or repeated label")
        found[label.group(1)] = label.group(2)
        at = label.end()
    return found


def main():
    data = sys.stdin.buffer.read()
    if data and not data.endswith(b"\n"):
        sys.exit("the last line does not end with a newline")
    families, samples = {}, set()
    name = None
    for number, line in enumerate(data.decode("utf-8").split("\n")[:-1], 1):
        header = HEADER.fullmatch(line)
        if header:
            kind, of, text = header.groups()
            if kind == "HELP":
                if of in families:
                    fail(number, line, "HELP for a name that has one already")
                if re.search(r"\\(?![\\n])", text.replace("\\\\", "")):
                    fail(number, line, "invalid escape sequence")
                name, families[of] = of, None
            elif of != name or families[of]:
                fail(number, line, "TYPE must follow HELP, once")
            elif text not in ("counter", "gauge"):
                fail(number, line, "the type must be counter or gauge")
            else:
                families[of] = text
            continue
        sample = SAMPLE.fullmatch(line)
        if not sample or not NUMBER.fullmatch(sample.group(3)):
            fail(number, line, "must be HELP, TYPE, or a sample without timestamp")
        if sample.group(1) != name or not families[name]:
            fail(number, line, "a sample must follow HELP and TYPE of its name")
        labels = labels_of(sample.group(2) or "", number, line)
        sample_name = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        sample_name = f"{name}{{{sample_name}}}"
        if sample_name in samples:
            fail(number, line, "repeated sample")
        samples.add(sample_name)
        print(sample_name, sample.group(3))


main()
