"""Counts checks. All of them run, so one run reports every failure."""


class Claims:
    def __init__(self, name):
        self.name = name
        self.good = 0
        self.bad = 0

    def none(self, claim, problems):
        """Passes if there is no problem: None, or an empty list."""
        if problems:
            self.bad += 1
            text = "; ".join(problems) if isinstance(problems, list) else problems
            print(f"{self.name}: FAILED: {claim}: {text}", flush=True)
        else:
            self.good += 1
            print(f"{self.name}: ok: {claim}", flush=True)

    def equal(self, claim, found, wanted):
        self.none(claim, None if found == wanted else f"{found!r} instead of {wanted!r}")

    def true(self, claim, holds, found=""):
        self.none(claim, None if holds else f"it does not {found}".strip())

    def each(self, parts, name, subject):
        """Runs these functions. A function that raises, because an object does not exist, has failed."""
        for part in parts:
            try:
                part(self, name, subject)
            except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
                self.none(f"{name}: {part.__name__}", f"cannot be tried: {error!r}")

    def close(self):
        """The last line, and the exit code."""
        if self.bad:
            print(f"{self.name}: {self.good + self.bad} checks, {self.bad} FAILED")
            return 1
        print(f"{self.name}: {self.good} checks, all good")
        return 0
