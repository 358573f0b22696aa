"""The result of a suite: one line, and counts that tests/conformance/run adds up."""

import os
import sys
import traceback


class Suite:
    def __init__(self, name, unit="cases"):
        self.name, self.unit = name, unit
        self.passed, self.failures, self.stated = 0, [], {}

    def result(self, case, differences):
        """Counts a case; `differences` are lines that say what is wrong with it."""
        if differences:
            self.failures.append(case)
            print(f"FAILED {self.name}: {case}", *(f"    {line}" for line in differences), sep="\n")
        else:
            self.passed += 1

    def state(self, case, reason):
        """Records an intended difference, which does not count as a passed case."""
        self.stated[case] = reason

    def check(self, case, function, *arguments):
        """Runs a case that is a function with assertions in it."""
        try:
            function(*arguments)
        except Exception as error:
            where = "".join(traceback.format_exception(error)).rstrip().splitlines()[-12:]
            self.result(case, where)
        else:
            self.result(case, [])

    def close(self, agreed="all good"):
        """Prints the line and ends the process. A suite without a case has failed."""
        failed = len(self.failures)
        if not self.passed and not failed:
            failed, self.failures = 1, ["it ran no case"]
        verdict = f"{failed} failed" if failed else agreed
        line = f"{self.name}: {self.passed + failed} {self.unit}, {verdict}"
        for case, reason in self.stated.items():
            print(f"stated: {case}: {reason}")
        print(line + (f"; {len(self.stated)} intended differences, not counted" if self.stated else ""))
        if "SUITE_RESULT" in os.environ:
            with open(os.environ["SUITE_RESULT"], "w") as result:
                result.write(f"{self.passed} {failed}\n")
        sys.stdout.flush()
        sys.exit(1 if failed else 0)


def equal(given, wanted, what="value"):
    if given != wanted:
        raise AssertionError(f"{what}: {given!r}, wanted {wanted!r}")
