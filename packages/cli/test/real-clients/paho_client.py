"""A client of Paho for Python, for the tests: paho_client.py publish|subscribe|will PORT VERSION CLIENT DURABLE TOPIC QOS RETAIN PAYLOAD

Writes `ready` when it is connected (will) or subscribed, and a line for each message. Ends with DISCONNECT at SIGTERM."""

import signal
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

mode, port, version, client_id, durable, topic, qos, retain, payload = sys.argv[1:]
is_version_5 = version == "5"
is_durable = durable == "1"
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())


def say(*words):
    print(*words, sep="\t", flush=True)


def connected(client, _userdata, _flags, reason_code, _properties):
    if reason_code.is_failure:
        say("refused", reason_code)
        sys.exit(1)
    if mode == "subscribe":
        client.subscribe(topic, int(qos))
    elif mode == "will":
        say("ready")


def subscribed(_client, _userdata, _mid, reason_codes, _properties):
    say("ready" if all(code.value == int(qos) for code in reason_codes) else f"granted {reason_codes}")


def arrived(_client, _userdata, message):
    say("message", message.topic, message.qos, int(message.retain), message.payload.decode())


options = {} if is_version_5 else {"clean_session": not is_durable}
client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id=client_id,
    protocol=mqtt.MQTTv5 if is_version_5 else mqtt.MQTTv311,
    **options,
)
client.on_connect = connected
client.on_subscribe = subscribed
client.on_message = arrived
if mode == "will":
    client.will_set(topic, payload, int(qos), retain == "1")
if is_version_5:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600 if is_durable else 0
    client.connect("127.0.0.1", int(port), clean_start=not is_durable, properties=properties)
else:
    client.connect("127.0.0.1", int(port))
client.loop_start()
if mode == "publish":
    client.publish(topic, payload, int(qos), retain == "1").wait_for_publish(20)
else:
    over.wait()
client.disconnect()
client.loop_stop()
