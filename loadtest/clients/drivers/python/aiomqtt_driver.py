"""aiomqtt, used again after a lost connection as its documentation shows"""

import asyncio

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lines import listen_async, say, show

say("features", levels=[4, 5], transports=["tcp", "ws"])

client = None
left = None


def create(where):
    options = {"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": where.is_clean}
    if where.level == 5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0 if where.is_clean else 3600
        options = {"protocol": aiomqtt.ProtocolVersion.V5, "clean_start": where.is_clean, "properties": properties}
    if where.transport == "ws":
        options |= {"transport": "websockets", "websocket_path": "/mqtt"}
    if where.will:
        will = where.will
        options["will"] = aiomqtt.Will(will.topic, will.payload, will.qos, will.retain)
    return aiomqtt.Client("127.0.0.1", where.port, identifier=where.client_id, **options)


async def receive():
    async for message in client.messages:
        show(str(message.topic), message.payload, message.qos, message.retain)


async def connect(where):
    global client, left
    left = asyncio.Event()
    if client is None:
        client = create(where)
    client._port = where.port
    try:
        async with client:
            say("connected", session=None)
            receiving = asyncio.create_task(receive())
            leaving = asyncio.create_task(left.wait())
            await asyncio.wait([receiving, leaving], return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if not receiving.done():
                receiving.cancel()
            else:
                receiving.result()
        say("disconnected")
    except MqttConnectError as error:
        say("refused", reason=str(error))
    except aiomqtt.MqttError:
        say("lost")


async def subscribe(topic, qos):
    granted = await client.subscribe(topic, qos)
    say("subscribed", granted=getattr(granted[0], "value", granted[0]))


async def publish(topic, qos, retain, payload):
    try:
        await client.publish(topic, payload, qos, retain)
        say("published")
    except aiomqtt.MqttError as error:
        say("failed", reason=str(error))


async def disconnect():
    left.set()


asyncio.run(listen_async({"connect": connect, "subscribe": subscribe, "publish": publish, "disconnect": disconnect}))
