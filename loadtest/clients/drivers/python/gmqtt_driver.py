"""gmqtt"""

import asyncio

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.storage import PersistentStorage

from lines import listen_async, say, show

say("features", levels=[4, 5], transports=["tcp"])

client = None
is_leaving = False


class Storage(PersistentStorage):
    """The only place where the library tells that a handshake is through."""

    def remove_message_by_mid(self, mid):
        is_known = mid in self._messages
        super().remove_message_by_mid(mid)
        if is_known:
            say("published")


def arrived(_client, topic, payload, qos, properties):
    show(topic, payload, qos, properties["retain"])
    return 0


def create(where):
    will = where.will
    left = gmqtt.Message(will.topic, will.payload, qos=will.qos, retain=will.retain) if will else None
    properties = {"session_expiry_interval": 3600} if where.level == 5 and not where.is_clean else {}
    made = gmqtt.Client(
        where.client_id,
        clean_session=where.is_clean,
        will_message=left,
        persistent_storage=Storage(),
        **properties,
    )
    made.set_config({"reconnect_retries": 0})
    made.on_connect = lambda _c, flags, _rc, _p: say("connected", session=flags == 1)
    made.on_disconnect = lambda _c, _packet, exc=None: say("disconnected" if is_leaving else "lost")
    made.on_subscribe = lambda _c, _mid, qos, _p: say("subscribed", granted=qos[0])
    made.on_message = arrived
    return made


async def connect(where):
    global client, is_leaving
    is_leaving = False
    if client is None:
        client = create(where)
    try:
        await client.connect("127.0.0.1", where.port, version=MQTTv50 if where.level == 5 else MQTTv311)
    except Exception as error:
        say("refused", reason=str(error))


async def subscribe(topic, qos):
    client.subscribe(topic, qos)


async def publish(topic, qos, retain, payload):
    client.publish(topic, payload, qos=qos, retain=retain)
    if qos == 0:
        say("published")


async def disconnect():
    global is_leaving
    is_leaving = True
    await client.disconnect()


asyncio.run(listen_async({"connect": connect, "subscribe": subscribe, "publish": publish, "disconnect": disconnect}))
