// How long decoding takes: `node packages/protocol/test/decoder-speed.ts`. Prints nanoseconds a packet.
import { Decoder, encodePublish, PublishView, readPublish } from '../src/index.ts';

const packet = encodePublish(
  {
    type: 'publish',
    dup: false,
    qos: 0,
    retain: false,
    topic: 'bench/pair/7',
    packetId: 0,
    properties: {},
    payload: Buffer.alloc(64),
  },
  4,
);
const packetsPerChunk = Math.floor(65_536 / packet.length);
const chunk = Buffer.concat(new Array(packetsPerChunk).fill(packet));
const view = new PublishView();
let payloadBytes = 0;
const decoder = new Decoder(
  {
    packet(header, bytes, _start, bodyStart, end) {
      readPublish(view, header, bytes, bodyStart, end, 4);
      payloadBytes += view.end - view.payloadStart;
      return true;
    },
  },
  1_048_576,
);
const rounds = 2000;
for (let run = 0; run < 5; run++) {
  payloadBytes = 0;
  const started = performance.now();
  for (let round = 0; round < rounds; round++) decoder.push(chunk);
  const nanoseconds = ((performance.now() - started) * 1e6) / (rounds * packetsPerChunk);
  console.log(`${nanoseconds.toFixed(1)} ns a packet of ${packet.length} bytes, ${payloadBytes} payload bytes`);
}
