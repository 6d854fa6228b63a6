"""Scripted LwM2M device on aiocoap: commands on standard input, JSON events on standard output.

The protocol of commands and events is that of docs/interop.md.
"""

import argparse
import asyncio
import json
import socket
import sys
from urllib.parse import urlsplit

import aiocoap
from aiocoap import resource
from aiocoap.numbers.codes import Code

import senml

OBJECT_LINKS = b"</1/0>,</3/0>,</3303/0>"
VALUES = {
    "/3/0/0": "Rookery",
    "/3/0/1": "aiocoap-device",
    "/3/0/3": "1.0.0",
    "/3/0/9": 100,
    "/3303/0/5700": 21.5,
    "/3303/0/5701": "Cel",
}
ROUND_TRIP_SECONDS = 30


def emit(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def dotted(code):
    return f"{code >> 5}.{code & 0x1F:02d}"


def free_port(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Resource(resource.ObservableResource):
    """One readable and observable resource."""

    def __init__(self, path, value, tuning):
        super().__init__()
        self.path = path
        self.value = value
        self._tuning = tuning
        self._observers = 0

    @property
    def observed(self):
        return self._observers > 0

    def set(self, text):
        self.value = type(self.value)(text)
        self.updated_state()

    def update_observation_count(self, newcount):
        if newcount > self._observers:
            emit("observed", path=self.path)
        self._observers = newcount

    async def render_get(self, request):
        if request.opt.observe is None:
            emit("read", path=self.path)
        try:
            content_format, payload = senml.encode_resource(
                self.path, self.value, request.opt.accept
            )
        except senml.NotAcceptable:
            return aiocoap.Message(code=Code.NOT_ACCEPTABLE)
        return aiocoap.Message(
            payload=payload,
            content_format=content_format,
            transport_tuning=self._tuning,
        )


class Device:
    """A registration and the socket it is kept from; requests of the server arrive on the same socket."""

    def __init__(self, options):
        self._options = options
        self._server = f"coap://{urlsplit(options.server).netloc}"
        tuning = aiocoap.Reliable if options.notify == "con" else aiocoap.Unreliable
        self._resources = {
            path: Resource(path, value, tuning()) for path, value in VALUES.items()
        }
        self._site = resource.Site()
        for path, served in self._resources.items():
            self._site.add_resource(path.strip("/").split("/"), served)
        self._context = None
        self._port = None
        self._location = None

    async def open(self):
        self._port = free_port(self._options.bind)
        self._context = await aiocoap.Context.create_server_context(
            self._site, bind=(self._options.bind, self._port), transports=["udp6"]
        )

    async def close(self):
        await self._context.shutdown()

    async def register(self):
        query = [
            f"lwm2m={self._options.lwm2m}",
            f"ep={self._options.endpoint}",
            f"lt={self._options.lifetime}",
            *self._options.attribute,
        ]
        if self._options.queue:
            query.append("Q")
        response = await self._request(
            Code.POST, "/rd", query, aiocoap.ContentFormat.LINKFORMAT, OBJECT_LINKS
        )
        if response.code is Code.CREATED:
            self._location = "/" + "/".join(response.opt.location_path)
            emit("registered", id=response.opt.location_path[-1], address=self._address())
        else:
            self._failed("register-failed", response)

    async def update(self, lifetime=None):
        query = [] if lifetime is None else [f"lt={lifetime}"]
        response = await self._request(Code.POST, self._location, query)
        if response.code is Code.CHANGED:
            emit("updated", lifetime=lifetime and int(lifetime))
        else:
            self._failed("update-failed", response)

    async def deregister(self):
        response = await self._request(Code.DELETE, self._location)
        if response.code is Code.DELETED:
            self._location = None
            emit("deregistered")
        else:
            self._failed("deregister-failed", response)

    async def rebind(self):
        """Moves to a new socket; what was observed is forgotten, the registration is not."""
        await self.close()
        await self.open()
        emit("rebound", address=self._address())

    async def set(self, path, *words):
        value = " ".join(words)
        self._resources[path].set(value)
        emit("set", path=path, value=value)

    async def send(self, name, *paths):
        records = {path: self._resources[path].value for path in paths}
        content_format, payload = senml.encode_pack(records, name)
        response = await self._request(Code.POST, "/dp", [], content_format, payload)
        emit("sent", code=dotted(response.code), message=response.payload.decode())

    async def state(self):
        emit(
            "state",
            registration=self._location and self._location.rsplit("/", 1)[1],
            address=self._address(),
            observed=sorted(r.path for r in self._resources.values() if r.observed),
        )

    async def _request(self, code, path, query=(), content_format=None, payload=b""):
        if path is None:
            raise ValueError("not registered")
        message = aiocoap.Message(
            code=code, uri=self._server + path, payload=payload, content_format=content_format
        )
        message.opt.uri_query = query
        return await asyncio.wait_for(
            self._context.request(message).response, ROUND_TRIP_SECONDS
        )

    def _address(self):
        return f"{self._options.bind}:{self._port}"

    @staticmethod
    def _failed(event, response):
        emit(event, code=dotted(response.code), message=response.payload.decode(errors="replace"))


COMMANDS = ("register", "update", "deregister", "rebind", "set", "send", "state")


async def perform(device, line):
    name, *words = line.split()
    try:
        if name not in COMMANDS:
            raise ValueError(f"unknown command {name}; known: {' '.join(COMMANDS)} quit")
        await getattr(device, name)(*words)
    except Exception as error:  # A command that cannot be performed is an event, not the end.
        emit("error", command=line, message=f"{type(error).__name__}: {error}")


async def standard_input():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def main(options):
    device = Device(options)
    await device.open()
    await perform(device, "register")
    commands = await standard_input()
    while (line := (await commands.readline()).decode()) and line.strip() != "quit":
        if line.strip():
            await perform(device, line.strip())
    await device.close()


def parse():
    parser = argparse.ArgumentParser(prog="aiocoap", description=__doc__.splitlines()[0])
    parser.add_argument("server", help="coap://host:port")
    parser.add_argument("endpoint")
    parser.add_argument("--lwm2m", default="1.1", help="version of the registration")
    parser.add_argument("--lifetime", type=int, default=300, help="seconds")
    parser.add_argument("--queue", action="store_true", help="queue mode")
    parser.add_argument("--notify", choices=("con", "non"), default="non", help="message type of notifications")
    parser.add_argument("--attribute", action="append", default=[], help="one more parameter, K=V")
    parser.add_argument("--bind", default="127.0.0.1", help="local IPv4 address")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(parse()))
