"""Parses plots as XML and their lines as points, and compares these with the published values.

    plot.py MOUNTPOINT
"""

import re
import sys
import xml.etree.ElementTree as tree

SVG = "{http://www.w3.org/2000/svg}"
COLUMNS, HEIGHT = 640, 112


def points_of(d):
    """A path as runs of points; M begins a run."""
    runs, x, y = [], 0, 0
    for verb, numbers in re.findall(r"([MLHVh])([^MLHVh]*)", d):
        numbers = [float(number) for number in numbers.split()]
        if verb in "ML":
            x, y = numbers
        elif verb == "H":
            x = numbers[0]
        elif verb == "V":
            y = numbers[0]
        if verb == "M":
            runs.append([])
        runs[-1].append((x, y))
    return runs


class Plot:
    def __init__(self, mnt, segment):
        with open(f"{mnt}/{segment}/plot.svg", "rb") as file:
            self.bytes = file.read()
        root = tree.fromstring(self.bytes)
        self.height = float(root.get("height"))
        self.texts = ["".join(text.itertext()) for text in root.iter(SVG + "text")]
        self.panels = [g for g in root.findall(SVG + "g") if g.findall(f"{SVG}path[@class='line c0']")]
        assert self.title() == segment, self.texts
        for panel in self.panels:
            for runs in self.lines(panel):
                for x, y in sum(runs, []):
                    assert 0 <= x < COLUMNS and -0.05 <= y <= HEIGHT + 0.05, (x, y)

    def title(self):
        return self.texts[0]

    def lines(self, panel):
        """The lines of a panel, without the samples in its legend."""
        found = [path.get("d") for path in panel.findall(SVG + "path")
                 if path.get("class").startswith("line c")]
        return [points_of(d) for d in found if not d.endswith("h14")]

    def dots(self, panel):
        return [points_of(path.get("d")) for path in panel.findall(SVG + "path")
                if path.get("class").startswith("line dot")]

    def legend(self, panel):
        return ["".join(text.itertext()) for text in panel.findall(SVG + "text")
                if text.get("class") == "name"]

    def values(self, panel):
        return [text.text for text in panel.findall(SVG + "text") if text.get("class") == "value"]

    def times(self):
        return [text for text in self.texts if re.fullmatch(r"−?[0-9.]+ (d|h|min|s|ms|µs|ns)", text)]


def main(mnt):
    def plot(segment):
        return Plot(mnt, segment)

    # A ramp, a constant, and a line with a gap in the middle, over 10 s.
    it = plot("basic")
    assert it.times() == ["0 s", "−2 s", "−4 s", "−6 s", "−8 s", "−10 s"], it.times()
    assert "101 records over 10s" in it.texts, it.texts
    (ramp, hole), (flat,) = [it.lines(panel) for panel in it.panels]
    (run,) = ramp
    assert run[0][0] == 0 and run[-1][0] == COLUMNS - 1, run
    assert all(one[0] < other[0] and one[1] >= other[1] for one, other in zip(run, run[1:])), run
    assert run[0][1] > HEIGHT * 0.9 and run[-1][1] < HEIGHT * 0.1, "the ramp fills its panel"
    (run,) = flat
    assert run == [(0, HEIGHT / 2), (COLUMNS - 1, HEIGHT / 2)], run
    left, right = hole
    assert abs(left[-1][0] - 0.39 * 639) < 2 and abs(right[0][0] - 0.61 * 639) < 2, (left[-1], right[0])
    assert it.legend(it.panels[0]) == ["ramp 100", "hole 50"], it.legend(it.panels[0])
    assert "kPa" in it.values(it.panels[1]), it.values(it.panels[1])
    assert it.legend(it.panels[1]) == ["flat 101.33k"], it.legend(it.panels[1])

    # One record: a dot at the right edge.
    it = plot("one")
    assert it.times() == [] and "1 record" in it.texts
    one, other = it.dots(it.panels[0])
    assert [x for x, _ in one[0] + other[0]] == [639] * 4 and one[0][0][1] < other[0][0][1], (one, other)

    # Only NaN: a panel without a line.
    it = plot("nothing")
    assert it.lines(it.panels[0]) == [[]] and it.legend(it.panels[0]) == ["x –"], it.texts

    # One different value in 100,000 is drawn.
    it = plot("deep")
    (run,), = it.lines(it.panels[0])
    assert min(y for _, y in run) < HEIGHT * 0.1 and "the newest 65536 records over 65.535us" in it.texts
    assert sum(y < HEIGHT / 2 for _, y in run) <= 2 and len(it.bytes) < 60000, len(it.bytes)

    # Fields are grouped by unit and magnitude, elements of a field share a panel, bools are numbers.
    it = plot("mixed")
    names = [[text.split()[0] for text in it.legend(panel)] for panel in it.panels]
    assert names == [["a.0", "a.1", "c", "b"], ["big"], ["ok"]], names

    # Values that differ in their last digits.
    it = plot("close")
    assert any(text.startswith("above 17000000") for text in it.values(it.panels[0])), it.texts
    assert "0.4" in it.values(it.panels[0]), it.values(it.panels[0])

    # Limits of f64, and characters that XML does not permit.
    it = plot("ends")
    (run,), = it.lines(it.panels[0])
    assert len(run) > 50 and "1e+308" in it.values(it.panels[0]), it.values(it.panels[0])
    it = plot("odd")
    assert "<&\ufffd°\ufffd\ufffd\ufffd\ufffd" in it.texts, it.texts

    # More fields than are drawn.
    it = plot("wide")
    assert sum(len(it.lines(panel)) for panel in it.panels) == 48 and len(it.panels) == 6
    assert "952 more values are not drawn: see history.csv" in it.texts, it.texts[-3:]
    assert max(len(text) for text in it.texts if text.startswith("field")) < 30


main(sys.argv[1])
