"""Reads callgrind's output, and attributes the instructions to parts of the program.

A function belongs to the crate whose file it is in; code that was inlined counts for the file that it came from, unless
that is the standard library's. What the standard library and libc do by calls (a memcpy, a formatter, the glue that
drops a value) counts for the callers, in proportion to the cost of the calls.
"""

import collections
import re

# Parts, each with the crates (or single files of one) that belong to it. The first that matches is taken.
PARTS = [
    ("hashes (SHA-256, HMAC)", r"(sha2|hmac|digest|block-buffer|crypto-common|hybrid-array|const-oid|cpufeatures)-\d"),
    ("TLS", r"(aws-lc-\w+|rustls[\w-]*|tokio-rustls|hyper-rustls)-\d"),
    ("sigv4", r"aws-sigv4-|aws-runtime-[\d.]+/src/auth|aws-credential-types-|percent-encoding-|form_urlencoded-|time-0"),
    ("SDK: HTTP client", r"aws-smithy-http-client-"),
    ("SDK: XML", r"aws-smithy-xml-|xmlparser-"),
    ("SDK: endpoint, user agent, interceptors", r"aws-runtime-|aws-sdk-sts-|aws-types-|aws-config-"),
    ("SDK: orchestrator, config bag, types", r"aws-smithy-"),
    ("axum and layers", r"(axum[\w-]*|tower[\w-]*|matchit|utoipa[\w-]*|mime|sync_wrapper)-\d"),
    ("logging and metrics", r"(tracing[\w-]*|prometheus-client[\w-]*|nu-ansi-term|sharded-slab|thread_local|parking_lot[\w]*|lock_api|dtoa|chrono)-\d"),
    ("JSON", r"(serde|serde_core|serde_json|itoa|ryu|zmij|memchr|indexmap)-\d"),
    ("XML (roxmltree)", r"roxmltree-"),
    ("HTTP and runtime (hyper, tokio)", r"(hyper|hyper-util|http|http-body[\w-]*|httparse|httpdate|h2|tokio[\w-]*|mio|bytes|want|try-lock|futures[\w-]*|pin-project[\w-]*|socket2|slab|smallvec|atomic-waker|libc)-\d"),
    ("allocator", r"(lib)?mimalloc|/malloc/|vg_replace_malloc"),
    ("request ids, wiping, other crates", r"/registry/src/"),
]
HASHES = PARTS[0][0]
OURS = "sts-verify itself"
UNKNOWN = "not known"
INSIDE = "inside"
# A function of the SDK or of its HTTP client; functions that these call count for them.
SDK = re.compile(r"/aws-|\baws_\w+::|/hyper(-util)?-[\d.]+/src/client/|\bhyper(_util)?::client::|h1::(role|dispatch)::Client\b")
# Crates as they are named in a symbol, for glue that the compiler puts into the standard library's files.
IN_SYMBOL = re.compile(r"(?<![:\w])([a-z][a-z0-9_]*)(?:\[[0-9a-f]+\])?::")
STANDARD = {"core", "alloc", "std", "hashbrown", "compiler_builtins"}


class Counts:
    """The cost of each function by the file that the code is from, and of the calls between functions."""

    def __init__(self):
        self.own = collections.Counter()    # (function, file) -> instructions
        self.calls = collections.Counter()  # (caller, callee) -> instructions, the callee's own calls included
        self.times = collections.Counter()  # callee -> how often it was called

    def __sub__(self, other):
        difference = Counts()
        difference.own = collections.Counter(self.own)
        difference.own.subtract(other.own)
        difference.calls = collections.Counter(self.calls)
        difference.calls.subtract(other.calls)
        difference.times = collections.Counter(self.times)
        difference.times.subtract(other.times)
        return difference

    def total(self):
        return sum(self.own.values())


def read(path):
    """Reads a file in callgrind's format (https://valgrind.org/docs/manual/cl-format.html)."""
    reader = _Reader()
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            reader.take(line.rstrip())
    return reader.counts()


class _Reader:
    """Names are numbered at their first occurrence: "(7) main", then "(7)". Each function has its own number, even if
    another function has the same name."""

    def __init__(self):
        self.names, self.files = {}, {}
        self.own, self.calls, self.times = collections.Counter(), collections.Counter(), collections.Counter()
        self.file = self.function = self.callee = None
        self.calling = False

    def take(self, line):
        key, equals, value = line.partition("=")
        if line[:1] in tuple("0123456789+-*"):
            self.cost(int(line.split()[1]))
        elif key in ("fl", "fi", "fe"):
            self.file = self.number("file", value)
        elif key == "fn":
            self.function = self.number("function", value)
            self.files[self.function] = self.file
        elif key in ("cfl", "cfi"):
            self.number("file", value)
        elif key == "cfn":
            self.callee = self.number("function", value)
        elif key == "calls":
            self.calling = True
            self.times[self.callee] += int(value.split()[0])

    def cost(self, instructions):
        if self.calling:
            self.calls[self.function, self.callee] += instructions
        else:
            self.own[self.function, self.file] += instructions
        self.calling = False

    def number(self, kind, text):
        number, _, name = text.partition(" ")
        self.names.setdefault((kind, number), name)
        return number

    def counts(self):
        file = lambda number: self.names.get(("file", number), "")
        function = lambda number: (self.names["function", number], file(self.files.get(number)))
        counts = Counts()
        for (number, source), cost in self.own.items():
            counts.own[function(number), file(source)] += cost
        for (caller, callee), cost in self.calls.items():
            counts.calls[function(caller), function(callee)] += cost
        for callee, times in self.times.items():
            counts.times[function(callee)] += times
        return counts


def part_of_file(path):
    """The part that a source file belongs to; None for the standard library and libc."""
    if "/rustc/" in path or "/rustlib/" in path or "/library/" in path or "hashbrown-" in path:
        return None
    for part, pattern in PARTS:
        if re.search(pattern, path):
            return part
    if re.match(r"(.*/)?src/", path) and "/registry/" not in path:
        return OURS
    return None


def part_of_function(function):
    name, file = function
    part = part_of_file(file)
    if part is None and re.match(r"_?mi_|_mi|mi_", name):
        return "allocator"
    if part is None and "::" in name:
        for crate in IN_SYMBOL.findall(name):
            if crate not in STANDARD:
                return part_of_crate(crate)
    return part


def part_of_crate(crate):
    if crate == "sts_verify":
        return OURS
    spelled = f"/registry/src/{crate.replace('_', '-')}-0/ {crate}-0/"
    return next((part for part, pattern in PARTS if re.search(pattern, spelled)), None)


def by_part(counts):
    """Instructions by part."""
    shares = _shares(counts, part_of_function)
    parts = collections.Counter()
    for (function, file), cost in counts.own.items():
        part = part_of_file(file)
        if part is not None:
            parts[part] += cost
        else:
            for owner, share in shares[function].items():
                parts[owner] += cost * share
    return parts


def allocations(counts):
    """How often the program's own allocator was called: through the one function that the mimalloc crate calls."""
    return sum(times for (name, _), times in counts.times.items() if name in ("mi_malloc_aligned", "mi_zalloc_aligned"))


def inside_the_sdk(counts):
    """Instructions of the call to STS, including everything that it calls."""
    shares = _shares(counts, lambda function: INSIDE if SDK.search(" ".join(function)) else None)
    return sum(cost * shares[function][INSIDE] for (function, _), cost in counts.own.items())


def _shares(counts, part_of):
    """For each function, its share of each part: its own part, or those of its callers in proportion."""
    callers = collections.defaultdict(dict)
    for (caller, callee), cost in counts.calls.items():
        if cost > 0 and caller != callee:
            callers[callee][caller] = cost
    functions = {function for function, _ in counts.own} | set(callers) | {f for f, _ in counts.calls}
    fixed = {function: part_of(function) for function in functions}
    shares = {function: collections.Counter({part or UNKNOWN: 1.0}) for function, part in fixed.items()}
    for _ in range(12):  # as deep as the standard library calls itself
        for function in functions:
            if fixed[function] is None and callers[function]:
                shares[function] = _mixed(callers[function], shares)
    return shares


def _mixed(callers, shares):
    total, mixed = sum(callers.values()), collections.Counter()
    for caller, cost in callers.items():
        for part, share in shares[caller].items():
            mixed[part] += share * cost / total
    return mixed
