"""amqtt"""

import asyncio

from amqtt.client import MQTTClient
from amqtt.errors import AMQTTError

from lines import listen_async, say, show

say("features", levels=[4], transports=["tcp", "ws"])

client = None
is_leaving = False


def create(where):
    configuration = {"auto_reconnect": False, "reconnect_retries": 0, "cleansession": where.is_clean}
    will = where.will
    if will:
        configuration["will"] = {
            "topic": will.topic,
            "message": will.payload,
            "qos": will.qos,
            "retain": will.retain,
        }
    return MQTTClient(client_id=where.client_id, config=configuration)


async def receive():
    try:
        # None: the connection has ended.
        while message := await client.deliver_message():
            show(message.topic, message.data, message.qos, message.retain)
    except (asyncio.CancelledError, AMQTTError):
        pass
    if not is_leaving:
        say("lost")


async def connect(where):
    global client, is_leaving
    is_leaving = False
    path = "/mqtt" if where.transport == "ws" else ""
    address = f"{'ws' if where.transport == 'ws' else 'mqtt'}://127.0.0.1:{where.port}{path}"
    try:
        if client is None:
            client = create(where)
            await client.connect(address, where.is_clean)
        else:
            client.session.broker_uri = address
            await client.reconnect()
    except AMQTTError as error:
        say("refused", reason=str(error))
        return
    say("connected", session=None)
    await receive()


async def subscribe(topic, qos):
    granted = await client.subscribe([(topic, qos)])
    say("subscribed", granted=granted[0])


async def publish(topic, qos, retain, payload):
    try:
        await client.publish(topic, payload.encode(), qos, retain)
        say("published")
    except (Exception, asyncio.CancelledError) as error:  # also AttributeError, when the connection is lost
        say("failed", reason=repr(error))


async def disconnect():
    global is_leaving
    is_leaving = True
    await client.disconnect()
    say("disconnected")


asyncio.run(listen_async({"connect": connect, "subscribe": subscribe, "publish": publish, "disconnect": disconnect}))
