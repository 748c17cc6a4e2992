"""paho-mqtt"""

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lines import listen, say, show

say("features", levels=[4, 5], transports=["tcp", "ws"])

client = None
connecting = None
is_leaving = False


def connected(_client, _userdata, flags, reason_code, _properties):
    if reason_code.is_failure:
        say("refused", reason=str(reason_code))
    else:
        say("connected", session=flags.session_present)


def disconnected(_client, _userdata, _flags, _reason_code, _properties):
    say("disconnected" if is_leaving else "lost")
    # No coming back by itself: the story says when.
    client._thread_terminate = True


def create():
    options = {} if connecting.level == 5 else {"clean_session": connecting.is_clean}
    protocol = mqtt.MQTTv5 if connecting.level == 5 else mqtt.MQTTv311
    transport = "websockets" if connecting.transport == "ws" else "tcp"
    made = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=connecting.client_id,
        protocol=protocol,
        transport=transport,
        **options,
    )
    if connecting.transport == "ws":
        made.ws_set_options(path="/mqtt")
    will = connecting.will
    if will:
        made.will_set(will.topic, will.payload, will.qos, will.retain)
    made.on_connect = connected
    made.on_disconnect = disconnected
    made.on_subscribe = lambda _c, _u, _m, codes, _p: say("subscribed", granted=codes[0].value)
    made.on_publish = lambda _c, _u, _m, _r, _p: say("published")
    made.on_message = lambda _c, _u, m: show(m.topic, m.payload, m.qos, m.retain)
    return made


def connect(where):
    global client, connecting, is_leaving
    connecting = where
    is_leaving = False
    if client is None:
        client = create()
    else:
        client.loop_stop()
    if where.level == 5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0 if where.is_clean else 3600
        client.connect("127.0.0.1", where.port, clean_start=where.is_clean, properties=properties)
    else:
        client.connect("127.0.0.1", where.port)
    client.loop_start()


def disconnect():
    global is_leaving
    is_leaving = True
    client.disconnect()


listen(
    {
        "connect": connect,
        "subscribe": lambda topic, qos: client.subscribe(topic, qos),
        "publish": lambda topic, qos, retain, payload: client.publish(topic, payload, qos, retain),
        "disconnect": disconnect,
    }
)
