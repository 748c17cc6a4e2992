"""A temperature sensor with Paho for Python: sensor.py --help"""

import argparse
import datetime
import json
import os
import queue
import random
import re
import signal
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

PROGRAM = "sensor.py"
# After one and a half times this without a word from the sensor the broker publishes the will.
KEEP_ALIVE_SECONDS = 30
# What waits in the broker longer than this for a reader that is away is not worth reading any more.
EXPIRY_SECONDS = 3600
# Messages kept while the connection is away: 14 hours of one every 5 seconds, some 10 MB. A packet identifier has 16 bits, so 65,535 is the most.
WAITING_MAX = 10_000
# How long the end waits for acknowledgements. Supervisors kill after 10 seconds (Docker) or 90 (systemd).
END_SECONDS = 5
# Reason codes that another attempt does not change: protocol, client identifier, password, permission, banned, and another client that has taken this identifier.
FINAL_REASONS = {0x84, 0x85, 0x86, 0x87, 0x8A, 0x8E}


def say(text):
    # In one piece: `print` writes the end of the line by itself, and the library has a thread of its own.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def number(low, high, kind=int):
    """A reader of numbers for argparse."""
    what = "a whole number" if kind is int else "a number"

    def read(text):
        if re.fullmatch(r"\d{1,9}" if kind is int else r"\d{1,9}(\.\d{1,9})?", text) and low <= kind(text) <= high:
            return kind(text)
        raise argparse.ArgumentTypeError(f'must be {what} from {low} to {high}, not "{text}"')

    return read


def sensor_id(text):
    # It becomes a level of a topic, where + # and / would mean something else.
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        return text
    raise argparse.ArgumentTypeError(f'must be 1 to 64 letters, digits, dashes and underscores, not "{text}"')


def read_settings():
    """Arguments come before the environment, the environment before the defaults."""
    environment = os.environ.get
    parser = argparse.ArgumentParser(prog=PROGRAM, allow_abbrev=False, description="Publishes temperatures.")
    parser.add_argument("--host", default=environment("MQTT_HOST", "127.0.0.1"), help="the broker (MQTT_HOST)")
    parser.add_argument("--port", type=number(1, 65535), default=environment("MQTT_PORT", "1883"), help="its port (MQTT_PORT)")
    parser.add_argument("--id", type=sensor_id, default=environment("SENSOR_ID", "python"), help="names the sensor (SENSOR_ID)")
    parser.add_argument(
        "--interval", type=number(0.01, 86400, float), default=environment("SENSOR_INTERVAL", "5"),
        help="seconds between readings (SENSOR_INTERVAL)",
    )  # fmt: skip
    parser.add_argument(
        "--count", type=number(0, 999_999_999), default=environment("SENSOR_COUNT", "0"),
        help="readings until it ends; 0: until it is stopped (SENSOR_COUNT)",
    )  # fmt: skip
    return parser.parse_args()


class Sensor:
    def __init__(self, settings):
        self.settings = settings
        self.topic = f"sensors/{settings.id}/temperature"
        self.status_topic = f"sensors/{settings.id}/status"
        # What is put here ends the readings. A signal handler may put into a SimpleQueue whatever the main thread is doing; it could wait for an Event for ever.
        self.stop = queue.SimpleQueue()
        self.failure = None
        self.ending = False
        self.away = False
        # Guards `waiting`, the messages that the broker has not acknowledged yet, and says when it or the connection has changed.
        self.changed = threading.Condition()
        self.waiting = 0
        self.connected = False
        # Names this run, so that readers can tell a reading that comes again from one of the next run.
        self.run = time.time_ns() // 1_000_000
        self.celsius = 20.0
        self.client = self.make_client()

    def make_client(self):
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"sensor-{self.settings.id}", protocol=mqtt.MQTTv5
        )
        client.will_set(self.status_topic, "offline", qos=1, retain=True)
        # Paho keeps what was published with QoS 1 and not acknowledged, connected or not, and sends it (again) after each connect. In memory: it ends with the process.
        client.max_queued_messages_set(WAITING_MAX)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.on_connect = self.on_connect
        client.on_connect_fail = lambda *_: self.on_away("nobody answers")
        client.on_disconnect = self.on_disconnect
        client.on_publish = self.on_publish
        return client

    def on_connect(self, _client, _userdata, _flags, reason, _properties):
        if reason.is_failure:
            self.on_away(f"refused: {reason}", reason)
            return
        self.away = False
        say(f"connected to {self.settings.host}:{self.settings.port}")
        with self.changed:
            self.connected = True
            self.changed.notify_all()
        self.publish(self.status_topic, "online", retain=True)

    def on_disconnect(self, _client, _userdata, flags, reason, _properties):
        was_connected = self.connected
        with self.changed:
            self.connected = False
            self.changed.notify_all()
        if was_connected and not self.ending:
            self.on_away(str(reason), reason if flags.is_disconnect_packet_from_server else None)

    def on_away(self, why, reason=None):
        if reason is not None and reason.value in FINAL_REASONS:
            self.failure = why
            self.stop.put("failed")
        elif not self.away:
            self.away = True
            say(f"no connection to {self.settings.host}:{self.settings.port} ({why}); readings wait")

    def on_publish(self, _client, _userdata, _mid, reason, _properties):
        with self.changed:
            self.waiting -= 1
            self.changed.notify_all()
        # For instance 0x87, not authorized: the broker has thrown it away. 0x10, nobody subscribes, is none.
        if reason.is_failure:
            print(f"{PROGRAM}: the broker did not take a message: {reason}", file=sys.stderr, flush=True)

    def publish(self, topic, payload, retain=False, properties=None):
        """True if the library has taken it. MQTT_ERR_NO_CONN says that it waits for the connection."""
        with self.changed:
            self.waiting += 1
        info = self.client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        if info.rc in (mqtt.MQTT_ERR_SUCCESS, mqtt.MQTT_ERR_NO_CONN):
            return True
        with self.changed:
            self.waiting -= 1
        return False

    def measure(self):
        """Stands for the hardware."""
        self.celsius += random.uniform(-0.1, 0.1)
        return round(self.celsius, 2)

    def publish_reading(self, count):
        at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        celsius = self.measure()
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = "application/json"
        properties.PayloadFormatIndicator = 1
        properties.MessageExpiryInterval = EXPIRY_SECONDS
        properties.UserProperty = [("program", PROGRAM), ("schema", "reading-1")]
        reading = {"run": self.run, "number": count, "celsius": celsius, "at": at}
        if self.publish(self.topic, json.dumps(reading), properties=properties):
            say(f"reading {count}: {celsius:.2f} °C; {self.waiting} waiting")
        else:
            say(f"reading {count} lost: {WAITING_MAX} wait already")

    def read_until_stopped(self):
        count = 0
        due = time.monotonic()
        while True:
            try:
                self.stop.get(timeout=max(0, due - time.monotonic()))
                return count
            except queue.Empty:
                count += 1
            self.publish_reading(count)
            if count == self.settings.count:
                return count
            due += self.settings.interval

    def end(self):
        """Waits for acknowledgements, then leaves. Returns how many are missing."""
        deadline = time.monotonic() + END_SECONDS
        self.ending = True
        with self.changed:
            self.changed.wait_for(lambda: self.waiting == 0 or self.failure is not None, END_SECONDS)
            missing = self.waiting
        # DISCONNECT 0x04 has the broker publish the will: `offline` is written in one place. Without a connection it has done so already.
        self.client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        with self.changed:
            self.changed.wait_for(lambda: not self.connected, max(0, deadline - time.monotonic()))
        return missing


def main():
    settings = read_settings()
    sensor = Sensor(settings)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: sensor.stop.put("signal"))
    # Returns at once; a thread of the library connects, and connects again, for as long as it takes.
    sensor.client.connect_async(settings.host, settings.port, KEEP_ALIVE_SECONDS)
    sensor.client.loop_start()
    count = sensor.read_until_stopped()
    missing = sensor.end()
    if sensor.failure is not None:
        sys.exit(f"{PROGRAM}: {settings.host}:{settings.port}: {sensor.failure}")
    if missing > 0:
        sys.exit(f"{PROGRAM}: ended after {count} readings; {missing} messages were not acknowledged")
    say(f"ended after {count} readings; all acknowledged")


if __name__ == "__main__":
    main()
