"""Three replicas behind HAProxy: stopped and restarted in turn, and one of them killed."""

import asyncio
import contextlib

from load import SteadyLoad, Tally
from processes import Balancer, Service, StandIn, wait_for

NAMES = ("r1", "r2", "r3")
# The balancer does not retry a refused connection with another replica, as AWS's load balancers do not either.
NO_RETRIES = ("retries 0", "no option redispatch")
# HAProxy's default: a refused connection is retried with another replica, but a request that was sent never is
# (`retry-on conn-failure`). Connections are not reused, so that the count of the requests on a replica is exact, and so
# that HAProxy answers 502: it would close a reused connection without an answer, for the client to try again.
RETRIES = ("retries 3", "option redispatch 1", "http-reuse never")


class Fleet:
    """The replicas by name. A replica that was stopped can be replaced."""

    def __init__(self, stack, sts, balancer, settings):
        self.stack, self.sts, self.balancer, self.settings = stack, sts, balancer, settings
        self.replicas = {}

    def start(self, name):
        self.replicas[name] = self.stack.enter_context(Service(self.sts.address, **self.settings))
        self.balancer.point(name, self.replicas[name].address)

    def stop(self, name):
        """By SIGTERM. Returns the exit code, when the process has ended and the balancer knows."""
        self.replicas[name].stop()
        self.balancer.wait_until_down(name)
        return self.replicas[name].process.returncode


@contextlib.contextmanager
def fleet(delay, options, **settings):
    with StandIn() as sts, Balancer(NAMES, *options) as balancer, contextlib.ExitStack() as stack:
        sts.be("well", delay)
        all_of_them = Fleet(stack, sts, balancer, settings)
        for name in NAMES:
            all_of_them.start(name)
        yield all_of_them


async def stop_and_start(report, plan):
    """Restarts each replica in turn, with the program's default stop delay: no request may fail."""
    with fleet(0.05, NO_RETRIES, STS_VERIFY_STOP_DELAY=plan.stop_delay) as replicas:
        codes = []
        async with SteadyLoad(f"http://{replicas.balancer.address}", plan.rate) as load:
            await load.until(lambda load: len(load.answers) > plan.rate)
            for _ in range(plan.rounds):
                for name in NAMES:
                    codes.append(await asyncio.to_thread(replicas.stop, name))
                    await asyncio.to_thread(replicas.start, name)
                    after = len(load.answers)
                    await load.until(lambda load: any(a.replica == name for a in load.answers[after:]))
    tally = Tally(load.answers)
    report.row(f"three replicas behind HAProxy, each in turn stopped by SIGTERM and restarted, {plan.rounds} times, "
               f"at {load.pace}", tally)
    report.holds("no request fails while every replica is stopped and restarted",
                 len(tally.good) == load.sent, f"{load.sent} sent", tally.words())
    report.holds("a stopped replica exits with code 0", set(codes) == {0}, codes)


async def kill_one(report, plan):
    """Kills a replica: only its requests in flight are lost."""
    delay = 0.3
    with fleet(delay, RETRIES) as replicas:
        victim = replicas.replicas["r2"]
        async with SteadyLoad(f"http://{replicas.balancer.address}", plan.rate, kept=False) as load:
            await load.until(lambda load: len(load.answers) > plan.rate)
            held, sent = await asyncio.to_thread(wait_until_busy, replicas.balancer, load)
            victim.kill()
            gone = asyncio.get_running_loop().time()
            in_flight = held + load.sent - sent
            await asyncio.to_thread(replicas.balancer.wait_until_down, "r2")
            after = len(load.answers)
            await load.until(lambda load: len(load.answers) > after + plan.rate)
    tally = Tally(load.answers)
    elsewhere = [answer for answer in tally.failed if answer.replica != "r2" or answer.sent > gone]
    report.row(f"one of three killed by SIGKILL at {load.pace}, with {held} in flight on it", tally)
    report.holds("requests are lost with a killed replica: some were in flight", tally.failed, held)
    report.holds("only requests in flight on it are lost", not elsewhere, elsewhere[:5])
    report.holds("no more are lost than were in flight on it", len(tally.failed) <= in_flight,
                 f"{len(tally.failed)} of {in_flight} lost")
    report.holds("lost requests get the load balancer's 502, never a verdict",
                 all(answer.kind == (502, "no JSON", "-") for answer in tally.failed), tally.words())


def wait_until_busy(balancer, load):
    """How many requests the balancer has on the replica, and how many had been sent in all by then."""
    def busy():
        sent = load.sent
        held = int(balancer.server("r2")["scur"])
        return (held, sent) if held else None
    return wait_for("requests in flight on r2", busy)
