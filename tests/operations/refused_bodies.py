"""Large bodies that are refused before they have arrived, behind proxies that reuse connections for other callers."""

import asyncio
import collections
import itertools
import re

from load import SteadyLoad, Tally
from processes import Balancer, Nginx, Service, StandIn

ATTACKERS = 16
PIECE = b" " * 16384
# Lengths in pieces: a body that the service discards, one that the proxy has sent before it sees the answer, and a
# longer one.
SIZES = (2, 6, 256)
# The refused requests and their statuses. The service answers each of them without its body.
REFUSED = (
    ("POST /nothing", "application/json", 404), ("PUT /verify", "application/json", 405), ("POST /verify", "text/plain", 415),
    ("POST /verify", "application/json", 413), ("GET /livez", "text/plain", 200),
)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
PROXIES = {
    "HAProxy": lambda: Balancer(("r1",), "retries 0", "no option redispatch", "http-reuse always"),
    "nginx": lambda: Nginx(),
    "nginx that passes bodies on as they come": lambda: Nginx("proxy_request_buffering off;"),
}


async def refused_bodies(report, plan):
    for name, make in PROXIES.items():
        with StandIn() as sts, Service(sts.address) as service, make() as proxy:
            await asyncio.to_thread(proxy.point, "r1", service.address)
            found = collections.Counter()
            async with SteadyLoad(f"http://{proxy.address}", plan.rate) as load:
                await attack(proxy.address, plan.refused, found)
            tally = Tally(load.answers)
            report.row(f"large bodies that are refused, from {ATTACKERS} clients, through {name}, with {load.pace}", tally)
            report.holds(f"refused bodies through {name}: other requests are not affected", len(tally.good) == load.sent,
                         tally.words())
            report.holds(f"refused bodies through {name}: there were enough", found.total() > plan.refused * 10, found)
            # The shortest body is within the limit of /verify, and is not JSON.
            strange = set(found) - {400, *(status for *_, status in REFUSED)}
            report.holds(f"refused bodies through {name}: each has its own answer", not strange, found)
            report.note(f"refused bodies through {name}: "
                        + ", ".join(f"{count} × {status}" for status, count in found.most_common()))


async def attack(address, seconds, found):
    """Posts for this long from this many clients, each one body after another, and counts the answers."""
    clock = asyncio.get_running_loop().time
    kinds, end = itertools.cycle(itertools.product(REFUSED, (True, False), SIZES)), clock() + seconds

    async def again_and_again():
        while clock() < end:
            (request, media_type, _), chunked, pieces = next(kinds)
            found[await post(address, request, media_type, chunked, pieces)] += 1
    await asyncio.gather(*(again_and_again() for _ in range(ATTACKERS)))


async def post(address, request, media_type, chunked, pieces):
    """Sends a body as long as it is accepted, and returns the status."""
    reader, writer = await asyncio.open_connection(*address.split(":"))
    # A chunked body does not announce that it is too long.
    chunked = chunked and not (request == "POST /verify" and media_type == "application/json")
    coding = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {pieces * len(PIECE)}"
    writer.write(f"{request} HTTP/1.1\r\nHost: operations\r\nContent-Type: {media_type}\r\n{coding}\r\n\r\n".encode())
    answer = asyncio.create_task(reader.read(4096))
    try:
        async with asyncio.timeout(60):
            for _ in range(pieces):
                if answer.done():
                    break
                writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
                await writer.drain()
            else:
                writer.write(b"0\r\n\r\n" if chunked else b"")
    except (ConnectionError, TimeoutError):
        pass
    try:
        async with asyncio.timeout(60):
            status = STATUS.match(await answer)
        return int(status[1]) if status else "nothing"
    except (ConnectionError, TimeoutError):
        return "nothing"
    finally:
        writer.transport.abort()
