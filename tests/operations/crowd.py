"""Connections that are idle, half-sent or not read, with normal requests at the same time."""

import asyncio
import socket

from load import SteadyLoad, Tally
from processes import LIMIT, Service, StandIn, wait_for
from table import memory_words

IDLE, HALF_SENT, SLOW = 2000, 500, 200
EVERYONE = IDLE + HALF_SENT + SLOW
READ_TIMEOUT = 20  # seconds until half-sent ones are closed: all must be open before that, even on a slow machine
MOST_MEMORY = 192  # MiB resident, with all of them: about 30 KiB for each beside the program itself
OPENED_AT_ONCE = 50
# The request with the largest response, which is more than the sockets' buffers hold.
LARGE = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: operations\r\n\r\n"
QUICK = b"GET /livez HTTP/1.1\r\nHost: operations\r\n\r\n"
HALF_A_HEAD = b"POST /verify HTTP/1.1\r\nHost: operations\r\nContent-Ty"
HALF_A_BODY = (b"POST /verify HTTP/1.1\r\nHost: operations\r\nContent-Type: application/json\r\n"
               b"Content-Length: 200\r\n\r\n{\"stsAccessKey\": \"AKIA")


class Guest:
    """One such connection."""

    def __init__(self, address, small_buffer=False):
        host, port = address.split(":")
        self.address, self.small_buffer = (host, int(port)), small_buffer

    async def come(self, data):
        """Connects and sends the data."""
        loop = asyncio.get_running_loop()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if self.small_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.wait_for(loop.sock_connect(self.socket, self.address), LIMIT)
        await loop.sock_sendall(self.socket, data)
        return self

    async def read_all(self):
        """Everything that arrives until the service closes the connection."""
        loop, data = asyncio.get_running_loop(), b""
        try:
            while piece := await asyncio.wait_for(loop.sock_recv(self.socket, 65536), LIMIT):
                data += piece
        except ConnectionResetError:
            pass
        return data

    async def read_some(self, size=512):
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, size), LIMIT)

    def is_open(self):
        """No data and no end: the service still waits for this connection."""
        try:
            return self.socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def leave(self):
        self.socket.close()


async def many(address, count, data, small_buffer=False):
    """Opens this many connections in groups, because the queue of new connections is limited."""
    guests = []
    for begin in range(0, count, OPENED_AT_ONCE):
        part = [Guest(address, small_buffer) for _ in range(begin, min(count, begin + OPENED_AT_ONCE))]
        guests += await asyncio.gather(*(guest.come(data) for guest in part))
    return guests


class Crowd:
    """All of them. Of the idle ones, half were answered once, and half have sent nothing."""

    async def come(self, address):
        self.kept = await many(address, IDLE // 2, QUICK)
        for guest in self.kept:
            await guest.read_some(4096)
        self.slow = await many(address, SLOW, LARGE, small_buffer=True)
        self.mute = await many(address, IDLE // 2, b"")
        self.half_heads = await many(address, HALF_SENT // 2, HALF_A_HEAD)
        self.half_bodies = await many(address, HALF_SENT // 2, HALF_A_BODY)
        self.let_go = self.mute + self.half_heads + self.half_bodies
        self.left_alone = self.kept + self.slow

    def present(self):
        return sum(guest.is_open() for guest in self.let_go + self.left_alone)

    def leave(self):
        for guest in self.let_go + self.left_alone:
            guest.leave()


async def crowd(report, plan):
    guests = Crowd()
    settings = {"STS_VERIFY_READ_TIMEOUT": f"{READ_TIMEOUT}s", "STS_VERIFY_MAX_CONNECTIONS_PER_ADDRESS": 2 * EVERYONE}
    with StandIn() as sts, Service(sts.address, **settings) as service:
        await asyncio.to_thread(sts.be, "well", 0.02)
        alone = service.descriptors()
        async with SteadyLoad(service.url, plan.rate) as load:
            await load.until(lambda load: len(load.answers) >= plan.rate)
            before = service.memory()
            service.forget_peak()
            await guests.come(service.address)
            await load.until(lambda _: service.descriptors() >= EVERYONE)
            present, answered = guests.present(), len(load.answers)
            trickle = asyncio.create_task(read_slowly(guests.slow))
            await load.until(lambda load: len(load.answers) >= answered + plan.rate * plan.crowd)
            bodies = await asyncio.gather(*(guest.read_all() for guest in guests.half_bodies))
            await asyncio.gather(*(guest.read_all() for guest in guests.let_go))
            left, answered = guests.present(), len(load.answers)
            await load.until(lambda load: len(load.answers) >= answered + plan.rate)
            trickle.cancel()
            most = service.memory("VmHWM")
            guests.leave()
        # Some stay open to STS for a while.
        await asyncio.to_thread(wait_for, "descriptors to be free again", lambda: service.descriptors() <= alone + 8)
        tally = Tally(load.answers)
        report.row(f"{IDLE} idle, {HALF_SENT} half-sent and {SLOW} slow-reading connections with "
                   f"{load.pace}", tally, memory_words(before, most, service.memory()))
        judge(report, tally, load.sent, (present, bodies, left, most))


async def read_slowly(guests):
    """Half a kibibyte from each, now and then."""
    while True:
        for guest in guests:
            await guest.read_some()
        await asyncio.sleep(1)


def judge(report, tally, sent, found):
    present, bodies, left, most = found
    report.holds("crowd: every normal request gets its answer", len(tally.good) == sent, tally.words())
    report.holds("crowd: all connections were open at once", present == EVERYONE, f"{present} of {EVERYONE}")
    report.holds("crowd: half a body is answered with 408, and the connection is closed",
                 all(end.startswith(b"HTTP/1.1 408 ") for end in bodies), bodies[:2])
    report.holds("crowd: kept and slow connections stay open, the others are closed",
                 left == IDLE // 2 + SLOW, left)
    report.holds(f"crowd: memory stays below {MOST_MEMORY} MiB", most < MOST_MEMORY, f"{most:.0f} MiB")
    report.note(f"crowd: connections with half a head, half a body or no data were closed after the read timeout of "
                f"{READ_TIMEOUT} s")
