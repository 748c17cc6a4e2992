// @ts-check
import mqtt from 'mqtt';
import { drawDial } from './dial.js';
import { readPayload } from './payload.js';

// Other brokers and topics by the page's own address: ?broker=wss://example.com/mqtt&topic=kitchen/temperature
const query = new URLSearchParams(location.search);
const broker = query.get('broker') ?? `ws://${location.hostname}:8083/mqtt`;
const topic = query.get('topic') ?? 'temp/random';

/** A broker that has not answered after so long is tried again after the pause. */
const answerMilliseconds = 5000;
const pauseMilliseconds = 1000;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const dial = drawDial(/** @type {SVGSVGElement} */ (document.querySelector('#dial')));
element('topic').textContent = topic;
element('broker').textContent = broker;

/**
 * @param {'connecting' | 'connected' | 'disconnected' | 'refused'} state
 * @param {string} text
 */
function showConnection(state, text) {
  document.body.dataset.connection = state;
  element('connection').textContent = text;
  element('absent').hidden = state !== 'disconnected';
}

/** @param {string | null} text */
function showTrouble(text) {
  element('trouble').textContent = text;
  element('trouble').hidden = text === null;
}

/** @param {Uint8Array} payload @param {boolean} retained */
function showMessage(payload, retained) {
  const reading = readPayload(payload);
  if ('fault' in reading) {
    // The needle stays: the last value is still the last value.
    showTrouble(reading.fault);
    return;
  }
  showTrouble(null);
  dial.show(reading.value);
  element('value').textContent = reading.text;
  const now = new Date();
  const time = document.createElement('time');
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  // The broker does not say when a retained message was sent, only that it was before we asked.
  if (retained) element('when').replaceChildren('kept by the broker since before ', time);
  else element('when').replaceChildren('received at ', time);
}

function connect() {
  const client = mqtt.connect(broker, {
    protocolVersion: 5,
    connectTimeout: answerMilliseconds,
    reconnectPeriod: pauseMilliseconds,
    resubscribe: false,
  });

  client.on('connect', () => {
    showConnection('connected', 'Connected');
    // A clean session: the broker has forgotten us, so we ask again. It answers with the retained message, if there is one.
    client.subscribe(topic, { qos: 0 }, (error) => {
      if (error) showTrouble(`The broker does not let us read ${topic}: ${error.message}.`);
      else document.body.dataset.subscribed = 'yes';
    });
  });

  // Retained is said of a message that was there before we asked; of those that come as they are sent, it is not.
  client.on('message', (_topic, payload, packet) => showMessage(payload, packet.retain));

  client.on('close', () => {
    document.body.dataset.subscribed = 'no';
    if (document.body.dataset.connection !== 'refused') showConnection('disconnected', 'Disconnected, trying again');
  });

  // A broker that answers and says no (CONNACK with a reason code) is not asked again; nobody there is no error but a `close`.
  client.on('error', (error) => {
    if (!('code' in error) || typeof error.code !== 'number') return;
    showConnection('refused', 'Refused');
    showTrouble(`${broker} says: ${error.message}.`);
  });
}

// MQTT.js would take any address, and ask a port of plain MQTT for a WebSocket again and again.
if (/^wss?:$/.test(URL.parse(broker)?.protocol ?? '')) {
  connect();
} else {
  showConnection('refused', 'Not connected');
  showTrouble(`${broker} is no address that a browser can connect to; one is like ws://127.0.0.1:8083/mqtt.`);
}
