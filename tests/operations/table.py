"""The table of results, and the checks."""

import os
import platform
import time

from report import Suite

COLUMNS = ("scenario", "requests", "answered", "shed", "failed", "longest answer", "memory, MiB")


class Report(Suite):
    """Counts checks like the conformance suites, and keeps rows for the table."""

    def __init__(self):
        super().__init__("operations", "checks")
        self.rows, self.notes = [], []

    def holds(self, claim, true, *facts):
        """A check: if it fails, the claim is printed with the facts."""
        self.result(claim, [] if true else [str(fact) for fact in facts] or ["it does not"])

    def row(self, what, tally, memory=""):
        self.rows.append((what, len(tally.answers), len(tally.good), len(tally.shed), len(tally.failed),
                          f"{tally.longest:.2f} s", memory))
        say(f"{what}: {tally.words()}")

    def note(self, text):
        """Keeps and prints a line for below the table: answers that callers got, and figures without a column."""
        self.notes.append(text)
        say(text)

    def print_table(self):
        print(markdown(COLUMNS, self.rows), flush=True)
        if self.notes:
            print("\n" + "\n".join(f"- {note}" for note in self.notes), flush=True)


def say(text):
    print(f"{time.strftime('%T')} {text}", flush=True)


def markdown(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine():
    """The machine, for the table's caption."""
    build = "debug build" if "/debug/" in os.environ["STS_VERIFY_BIN"] else "optimised build"
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, {build}"


def memory_words(before, most, after):
    return f"{before:.0f} → {most:.0f} → {after:.0f}"
