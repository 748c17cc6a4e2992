"""The line protocol for drivers in Python: words with tabs between come in, one object a line goes out."""

import json
import sys
import threading
from dataclasses import dataclass

lock = threading.Lock()


@dataclass
class Will:
    topic: str
    qos: int
    retain: bool
    payload: str


@dataclass
class Connecting:
    transport: str
    port: int
    level: int
    client_id: str
    is_clean: bool
    will: Will | None


def say(event, **fields):
    """Writes one event; libraries call back from threads of their own."""
    with lock:
        print(json.dumps({"event": event, **fields}, separators=(",", ":")), flush=True)


def show(topic, payload, qos, retain):
    say("message", topic=topic, payload=payload.decode(), qos=int(qos), retain=bool(retain))


def parse(line):
    """The command and its arguments."""
    command, *words = line.rstrip("\n").split("\t")
    if command == "connect":
        transport, port, level, client_id, clean, *will = words
        left = Will(will[0], int(will[1]), will[2] == "1", will[3]) if will else None
        return command, [Connecting(transport, int(port), int(level), client_id, clean == "1", left)]
    if command == "subscribe":
        return command, [words[0], int(words[1])]
    if command == "publish":
        return command, [words[0], int(words[1]), words[2] == "1", words[3]]
    return command, []


def listen(handlers):
    """Calls a handler for each command until nobody sends any more."""
    for line in sys.stdin:
        command, arguments = parse(line)
        handlers[command](*arguments)


async def listen_async(handlers):
    """The same for asyncio: a handler runs beside those before it, as commands do not wait for each other."""
    import asyncio

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        command, arguments = parse(line.decode())
        task = asyncio.create_task(handlers[command](*arguments))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
