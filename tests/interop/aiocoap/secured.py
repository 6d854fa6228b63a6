"""aiocoap over tinydtls with a pre-shared key: looks at what the engine has, registers and updates.

It tells events as device.py does, takes no commands, and cannot be observed: over tinydtls aiocoap is a client only.
"""

import argparse
import asyncio
import json

import aiocoap
from aiocoap.numbers.codes import Code

SECONDS_TO_WAIT = 20


def emit(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


async def main(options):
    context = await aiocoap.Context.create_client_context(transports=["tinydtls"])
    identity, key = options.psk
    context.client_credentials.load_from_dict(
        {
            f"{options.server}/*": {
                "dtls": {"psk": {"hex": key}, "client-identity": {"ascii": identity}}
            }
        }
    )

    async def ask(code, path, payload=b""):
        request = aiocoap.Message(
            code=code, uri=f"{options.server}/{path}", payload=payload
        )
        if payload:
            request.opt.content_format = aiocoap.ContentFormat.LINKFORMAT
        return await asyncio.wait_for(
            context.request(request).response, SECONDS_TO_WAIT
        )

    found = await ask(Code.GET, ".well-known/core")
    emit("discovered", links=found.payload.decode())
    query = f"ep={options.endpoint}&lt=300&lwm2m=1.1"
    registered = await ask(Code.POST, f"rd?{query}", b"</1/0>,</3/0>")
    location = "/".join(registered.opt.location_path)
    emit("registered", id=location.rpartition("/")[2])
    updated = await ask(Code.POST, location)
    emit("updated", code=updated.code.dotted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("endpoint")
    parser.add_argument("--psk", nargs=2, required=True, metavar=("IDENTITY", "KEY"))
    asyncio.run(main(parser.parse_args()))
