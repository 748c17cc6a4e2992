"""A device that signs in with a token, with Paho for Python: DEVICE_UUID=… DEVICE_SECRET=… device.py [HOST [PORT]]"""

import os
import queue
import signal
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

INTERVAL_SECONDS = 1
KEEP_ALIVE_SECONDS = 30
# Reason codes that another attempt with the same token does not change: password, permission (also a token that was revoked), banned, and another client that has taken
# this identifier. Any other passes, such as 0x88: the broker cannot ask Redis now.
FINAL_REASONS = {0x86, 0x87, 0x8A, 0x8E}


def say(text):
    # In one piece: `print` writes the end of the line by itself, and the library has a thread of its own.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def read_settings():
    try:
        # Not from arguments, which every user of the machine can see.
        uuid, secret = os.environ["DEVICE_UUID"], os.environ["DEVICE_SECRET"]
    except KeyError as missing:
        sys.exit(f"device.py: set {missing.args[0]}; `dunlin token add` prints both")
    host, port = (sys.argv[1:] + ["127.0.0.1", "1883"][len(sys.argv) - 1 :])[:2]
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        sys.exit(f'device.py: PORT must be a whole number from 1 to 65535, not "{port}"')
    return uuid, secret, host, int(port)


uuid, secret, host, port = read_settings()
client_id = f"python-{uuid[:8]}"
# What is put here ends the program. A signal handler may put into a SimpleQueue whatever the main thread is doing.
stop = queue.SimpleQueue()


def connected(client, _userdata, _flags, reason, _properties):
    if reason.is_failure:
        refused(reason)
        return
    say(f"signed in as {uuid}")
    client.subscribe(f"devices/{uuid}/commands/{client_id}", qos=1)


def refused(reason: ReasonCode):
    say(f"the broker said: {reason}")
    if reason.value in FINAL_REASONS:
        stop.put(1)


def disconnected(_client, _userdata, flags, reason, _properties):
    if flags.is_disconnect_packet_from_server:
        refused(reason)


def subscribed(_client, _userdata, _mid, reasons, _properties):
    say("commands come" if not reasons[0].is_failure else f"no commands: {reasons[0]}")


def published(_client, _userdata, mid, reason, _properties):
    say(f"state {mid} {'not taken: ' + str(reason) if reason.is_failure else 'taken'}")


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
client.username_pw_set(uuid, secret)
client.reconnect_delay_set(min_delay=1, max_delay=30)
client.on_connect = connected
client.on_disconnect = disconnected
client.on_subscribe = subscribed
client.on_publish = published
client.on_message = lambda _client, _userdata, message: say(f"command: {message.payload.decode(errors='replace')}")
for name in (signal.SIGINT, signal.SIGTERM):
    signal.signal(name, lambda *_: stop.put(0))
client.connect_async(host, port, KEEP_ALIVE_SECONDS)
client.loop_start()
while True:
    try:
        code = stop.get(timeout=INTERVAL_SECONDS)
        break
    except queue.Empty:
        # Only what is new: this device does not keep its state while it is not connected. ../sensors shows how.
        if client.is_connected():
            client.publish(f"devices/{uuid}/state/python", "running", qos=1)
client.disconnect()
sys.exit(code)
