"""Four times the load that the service can handle."""

import asyncio

import aiohttp

from figures import Figures, hold_against_metrics
from load import GIVEN_UP_AFTER, GOOD, SHED, SteadyLoad, Tally
from processes import Service, StandIn
from table import memory_words

PLACES = 20
DELAY = 0.5  # seconds that STS takes: the permits allow 40 requests a second
RATE = round(4 * PLACES / DELAY)
MOST_MEMORY = 96  # MiB resident


async def four_times_the_limit(report, plan):
    with StandIn() as sts, Service(sts.address, STS_VERIFY_MAX_IN_FLIGHT=PLACES) as service:
        async with SteadyLoad(service.url, 20) as warm_up:
            await warm_up.until(lambda load: len(load.answers) >= 20)
        before = service.memory()
        service.forget_peak()
        await asyncio.to_thread(sts.be, "well", DELAY)
        loop = asyncio.get_running_loop()
        async with SteadyLoad(service.url, RATE) as load:
            watch = asyncio.create_task(ask_beside(service.url))
            began = loop.time()
            await load.until(lambda _: loop.time() > began + plan.overload)
            watch.cancel()
            beside = await watch
        most, after = service.memory("VmHWM"), service.memory()
        counts = await asyncio.to_thread(sts.counts)
        tally = Tally(load.answers)
        judge(report, tally, counts, beside, most)
        report.row(f"four times the possible load ({PLACES} permits, STS takes {DELAY} s; {load.pace}) "
                   f"for {plan.overload} s", tally, memory_words(before, most, after))
        report.note(f"overload: shed within {await asyncio.to_thread(mean_of_503, service) * 1e3:.2f} ms (mean in the "
                    f"service's metrics; median at the client {Tally(tally.shed).median * 1e3:.1f} ms), answered "
                    f"after {Tally(tally.good).median:.2f} s; /livez and /metrics were requested "
                    f"{len(beside)} times meanwhile")
        everything = Tally(warm_up.answers + load.answers)
        await asyncio.to_thread(hold_against_metrics, report, "overload", service, everything)


def judge(report, tally, counts, beside, most):
    report.holds("overload: every request is answered or shed", set(tally.kinds) == {GOOD, SHED}, tally.words())
    report.holds("overload: shed requests have Retry-After", len(tally.shed) == tally.kinds[SHED], tally.words())
    report.holds("overload: shed requests do not reach STS, and no request is repeated",
                 counts["calls"] == len(tally.good), counts, tally.words())
    report.holds(f"overload: at most {PLACES} calls at once, and this maximum is reached", counts["most_at_once"] == PLACES, counts)
    report.holds("overload: /livez and /metrics answer meanwhile", beside and set(beside) == {200}, beside)
    report.holds(f"overload: memory stays below {MOST_MEMORY} MiB", most < MOST_MEMORY, f"{most:.0f} MiB")


def mean_of_503(service):
    """The mean time from the head of a shed request to its answer, in seconds."""
    figures, labels = Figures(service), {"http_route": "/verify", "http_response_status_code": "503"}
    durations = "http_server_request_duration_seconds"
    return figures.sum(f"{durations}_sum", **labels) / max(1, figures.sum(f"{durations}_count", **labels))


async def ask_beside(url):
    """The statuses of /livez and /metrics, asked in turn until this is cancelled."""
    statuses = []
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=GIVEN_UP_AFTER)) as session:
            while True:
                for path in ("/livez", "/metrics"):
                    async with session.get(url + path) as response:
                        await response.read()
                        statuses.append(response.status)
                await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        pass
    except (aiohttp.ClientError, TimeoutError) as error:
        statuses.append(type(error).__name__)
    return statuses
