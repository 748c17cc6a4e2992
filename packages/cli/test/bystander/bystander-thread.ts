/** The thread of a bystander (bystander.ts): MQTT 3.1.1 by hand, so that it needs nothing but Node. */
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';

const { host, port, clientId } = workerData as { host: string; port: number; clientId: string };
const pingRequest = Buffer.from([0xc0, 0]);
const connackBytes = 4;
let waits: number[] = [];
let running = true;
let isLooked = false;
let asked = 0;
let connacked = 0;

const socket = connect({ host, port, noDelay: true }, () => socket.write(connectPacket()));
socket.on('data', (bytes: Buffer) => {
  if (connacked < connackBytes) {
    connacked += bytes.length;
    if (connacked < connackBytes) return;
    parentPort?.postMessage('connected');
  } else if (bytes.at(-1) !== 0) {
    return; // half of PINGRESP
  } else {
    waits.push(performance.now() - asked);
  }
  if (!running) socket.destroy();
  if (!running || isLooked) tell();
  if (!running) return;
  asked = performance.now();
  socket.write(pingRequest);
});
socket.on('close', () => {
  if (running) throw new Error(`the bystander ${clientId} was disconnected after ${waits.length} answers`);
});
parentPort?.on('message', (word) => {
  if (word === 'look') isLooked = true;
  else running = false;
});

/** Tells the waits for answers since the last look, the one that was on its way at this one among them. */
function tell(): void {
  isLooked = false;
  const sorted = waits.sort((a, b) => a - b);
  waits = [];
  parentPort?.postMessage({
    longest: sorted.at(-1) ?? 0,
    p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    count: sorted.length,
  });
}

function connectPacket(): Buffer {
  const id = Buffer.from(clientId);
  const head = Buffer.from([0x10, 12 + id.length, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, id.length]);
  return Buffer.concat([head, id]);
}
