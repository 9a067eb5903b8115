"""The table of figures: what is wanted of the program's speed and size, beside what this run measured.

A figure that was missed is named, and fails nothing: other programs on the machine only ever make it worse.
"""


class Figures:
    """Rows of the table, in the order they were measured; `peer`: whose the figures of others are."""

    def __init__(self):
        self.rows, self.peer = [], "none"

    def beside(self, name, ours, theirs, wanted):
        """Rates of both; `wanted`: what ours is to be, in theirs."""
        ratio = ours / theirs
        self._add(name, f"{wanted:g}x", _digits(ours), _digits(theirs), f"{ratio:.2f}", ratio >= wanted)

    def near(self, name, ours, theirs, share):
        """Ours may differ from theirs by that share of it."""
        self._add(name, f"within {100 * share:g} %", _digits(ours, 5), _digits(theirs, 5), f"{ours / theirs:.4f}",
                  abs(ours / theirs - 1) <= share)

    def at_least(self, name, value, wanted, unit):
        self._add(name, f"{wanted:g} {unit}", f"{_digits(value)} {unit}", "", f"{value / wanted:.2f}", value >= wanted)

    def at_most(self, name, value, wanted, unit):
        self._add(name, f"at most {_digits(wanted)} {unit}", f"{_digits(value)} {unit}", "", f"{value / wanted:.2f}", value <= wanted)

    def stated(self, name, value, unit):
        """Nothing is wanted of it."""
        self._add(name, "", f"{_digits(value)} {unit}", "", "", True)

    def _add(self, name, wanted, ours, theirs, ratio, reached):
        self.rows.append((name, wanted, ours, theirs, ratio, "" if reached else "missed"))

    def lines(self):
        titled = [("figure", "wanted", "measured", "theirs", "ratio", ""), *self.rows]
        widths = [max(len(row[i]) for row in titled) for i in range(6)]
        for row in titled:
            cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row[:5], widths))]
            yield "  ".join([*cells, row[5]]).rstrip()


def _digits(value, significant=3):
    """1234.5 as "1234", 0.98765 as "0.988"."""
    return f"{value:.0f}" if abs(value) >= 10 ** (significant - 1) else f"{value:.{significant}g}"
