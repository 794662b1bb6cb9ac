"""An SMTP server that accepts everything and notes when which letter came: `python -m bench.sink --port N --log FILE`."""

import argparse
import asyncio
import re
import time
from pathlib import Path

import uvloop

_SUBJECT = re.compile(rb"^Subject: (?:=\?[^?]*\?.\?)?R (\d+)", re.MULTILINE)


async def serve(port: int, log: Path) -> None:
    out = log.open("a", buffering=1 << 16)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        try:
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go\r\n")
                    letter = await reader.readuntil(b"\r\n.\r\n")
                    at = time.time()
                    writer.write(b"250 ok\r\n")
                    found = _SUBJECT.search(letter[:2000])
                    out.write(f"{found[1].decode() if found else '-'} {at:.6f}\n")
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    writer.write(b"250 ok\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def flush() -> None:
        while True:
            await asyncio.sleep(0.2)
            out.flush()

    server = await asyncio.start_server(talk, "127.0.0.1", port, limit=1 << 22)
    flushing = asyncio.create_task(flush())
    async with server:
        await server.serve_forever()
    flushing.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    chosen = parser.parse_args()
    uvloop.run(serve(chosen.port, chosen.log))
