"""STS is slow, does not answer, closes connections, is replaced by a page, throttles, and recovers, each under load."""

import asyncio

from figures import hold_against_metrics
from load import GOOD, SHED, SteadyLoad, Tally
from processes import Service, StandIn
from table import memory_words

# The documented answers in each mode. None of them is "invalid".
MODES = (
    ("slow", "slow (5 s)", 5.0, {GOOD, (504, "ReadTimeoutError", "indeterminate")}),
    ("silent", "silent", 0.0, {(504, "ReadTimeoutError", "indeterminate")}),
    ("closing", "closing connections", 0.0, {(502, "ConnectionClosedError", "indeterminate")}),
    ("page", "answering HTML", 0.0, {(502, "ResponseParserError", "indeterminate")}),
    ("throttling", "throttling", 0.0, {(400, "Throttling", "indeterminate")}),
)
PLACES = 256
# Resident MiB with every permit taken, whatever STS does; about 60 KiB for each, plus the program itself.
MOST_MEMORY = 128


async def sts_in_trouble(report, plan):
    """The same service runs through all modes."""
    settings = {"STS_VERIFY_MAX_IN_FLIGHT": PLACES, "STS_VERIFY_ATTEMPT_TIMEOUT": f"{plan.attempt_timeout}s",
                "STS_VERIFY_DEADLINE": f"{plan.deadline}s", "STS_VERIFY_RETRY_BACKOFF": "200ms"}
    with StandIn() as sts, Service(sts.address, **settings) as service:
        async with SteadyLoad(service.url, plan.rate) as load:
            await load.until(lambda load: len(load.answers) >= plan.rate)
        answers = load.answers
        for case in MODES:
            answers += await one_mode(report, plan, sts, service, case)
        await asyncio.to_thread(hold_against_metrics, report, "STS failures", service, Tally(answers))


async def one_mode(report, plan, sts, service, case):
    mode, words, delay, wanted = case
    before = service.memory()
    service.forget_peak()
    loop = asyncio.get_running_loop()
    async with SteadyLoad(service.url, plan.trouble_rate) as load:
        await asyncio.to_thread(sts.be, mode, delay)
        began = loop.time()
        await load.until(lambda _: loop.time() > began + plan.trouble)
        switched = loop.time()
        await asyncio.to_thread(sts.be, "well")
        well = loop.time()
        held = set(load.open)
        await load.until(lambda _: all(task.done() for task in held))
        settled = loop.time()
        after = load.sent
        await load.until(lambda load: load.sent > after + plan.trouble_rate)
    most = service.memory("VmHWM")
    during = Tally([a for a in load.answers if a.sent >= began and a.ended < switched])
    later = Tally([a for a in load.answers if a.sent > settled])
    judge(report, plan, words, load, (during, later, wanted, most))
    recovered = min((a.ended for a in load.answers if a.is_good and a.sent > well), default=None)
    last_bad = max((a.ended for a in load.answers if not a.is_good and a.sent > well), default=well)
    report.row(f"STS {words} for {plan.trouble} s at {load.pace}, then recovered",
               Tally(load.answers), memory_words(before, most, service.memory()))
    report.note(f"STS {words}: callers got {during.words() or 'nothing before it recovered'}; first success "
                f"{recovered - well if recovered else float('nan'):.2f} s after STS recovered, last failure after "
                f"{last_bad - well:.2f} s")
    return load.answers


def judge(report, plan, words, load, found):
    during, later, wanted, most = found
    tally = Tally(load.answers)
    strange = set(during.kinds) - wanted - {SHED}
    possible = set(tally.kinds) - wanted - {SHED, GOOD}
    report.holds(f"STS {words}: callers get the documented answers", not strange, strange)
    report.holds(f"STS {words}: no other answers before or after", not possible, possible)
    report.holds(f"STS {words}: the failure occurred", set(tally.kinds) & wanted, tally.words())
    report.holds(f"STS {words}: shed requests have Retry-After",
                 len(tally.shed) == tally.kinds[SHED], tally.words())
    report.holds(f"STS {words}: no answer takes longer than the deadline (plus half of it, for a busy machine)",
                 tally.longest <= plan.deadline * 1.5, f"{tally.longest:.2f} s")
    report.holds(f"STS {words}: memory stays below {MOST_MEMORY} MiB", most < MOST_MEMORY, f"{most:.0f} MiB")
    report.holds(f"STS {words}: all requests succeed once the earlier ones have been answered",
                 later.answers and len(later.good) == len(later.answers), later.words())
