"""An STS with modes: it works, is slow, does not answer, closes connections, answers a proxy's page, or throttles.

    python stand_in.py      prints its address, serves until it is ended

It checks no signature, because every request of the load has new credentials. PUT /mode with {"mode": ..., "delay":
seconds} sets the mode. GET /counts returns the number of calls, and the maximum at the same time.
"""

import asyncio
import uuid

from aiohttp import web

WELL = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:iam::123456789012:user/operations</Arn>
    <UserId>AIDAOPERATIONS0EXAMPLE</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>{id}</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
"""
THROTTLED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>Throttling</Code>
    <Message>Rate exceeded</Message>
  </Error>
  <RequestId>{id}</RequestId>
</ErrorResponse>
"""
PAGE = "<html><body><h1>Please sign in to the proxy</h1></body></html>"


class StandIn:
    def __init__(self):
        self.mode, self.delay = "well", 0.0
        self.calls = self.at_once = self.most_at_once = 0

    async def put_mode(self, request):
        wanted = await request.json()
        self.mode, self.delay = wanted["mode"], wanted.get("delay", 0.0)
        self.calls = 0
        self.most_at_once = self.at_once
        return web.Response()

    async def counts(self, _):
        return web.json_response(
            {"calls": self.calls, "at_once": self.at_once, "most_at_once": self.most_at_once})

    async def answer(self, request):
        await request.read()
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.in_mode(request)
        finally:
            self.at_once -= 1

    async def in_mode(self, request):
        mode = self.mode
        if mode == "silent":
            # Until the service gives up: aiohttp ends this task when the connection is closed.
            await asyncio.sleep(3600)
        if mode == "closing":
            request.transport.close()
            raise asyncio.CancelledError
        if self.delay:
            await asyncio.sleep(self.delay)
        if mode == "page":
            return web.Response(text=PAGE, content_type="text/html")
        request_id = str(uuid.uuid4())
        if mode == "throttling":
            return web.Response(status=400, text=THROTTLED.format(id=request_id), content_type="text/xml")
        return web.Response(text=WELL.format(id=request_id), content_type="text/xml",
                            headers={"x-amzn-RequestId": request_id})


async def main():
    stand_in = StandIn()
    application = web.Application()
    application.add_routes([web.put("/mode", stand_in.put_mode), web.get("/counts", stand_in.counts),
                            web.post("/", stand_in.answer),
                            web.get("/", stand_in.answer)])
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, keepalive_timeout=3600)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    print("127.0.0.1:%d" % site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
