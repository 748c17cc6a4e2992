/**
 * Best that one thread of Node can do: the yardstick for a broker written in it. Speaks just enough MQTT 3.1.1 and 5.0
 * to be loaded by mqload: exact filters and a trailing '#', QoS 0. Packets are found in place, the bytes of a PUBLISH
 * are copied as they are, and each subscriber is written once per turn. No sessions, no checks. It
 * shares no code with Dunlin: a yardstick must not change with what it measures. node forwarder.ts PORT
 */
import net from 'node:net';

declare global {
  interface Buffer {
    /** Quicker than `toString('latin1', start, end)`, which calls it; Node's types leave it out. */
    latin1Slice(start: number, end: number): string;
  }
}

/** Enough for a turn of one subscriber in most rows; grows by doubling. */
const GATHER_BYTES = 4096;
/** Length below which a loop is quicker than a call into the runtime. */
const COPY_CALL_BYTES_MIN = 256;

class Connection {
  readonly socket: net.Socket;
  isVersion5 = false;
  rest: Buffer | null = null;
  out: Buffer = Buffer.allocUnsafeSlow(GATHER_BYTES);
  outLength = 0;
  isDirty = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
  }

  append(source: Buffer, from: number, to: number): void {
    const length = to - from;
    if (this.outLength + length > this.out.length) this.grow(length);
    if (length < COPY_CALL_BYTES_MIN) {
      const out = this.out;
      for (let i = from, o = this.outLength; i < to; i++, o++) out[o] = source[i];
    } else {
      source.copy(this.out, this.outLength, from, to);
    }
    this.outLength += length;
    if (!this.isDirty) {
      this.isDirty = true;
      dirty.push(this);
      if (!flushScheduled) {
        flushScheduled = true;
        setImmediate(flush);
      }
    }
  }

  grow(length: number): void {
    const bigger = Buffer.allocUnsafeSlow((this.outLength + length) * 2);
    this.out.copy(bigger, 0, 0, this.outLength);
    this.out = bigger;
  }
}

interface PrefixSubscription {
  readonly prefix: string;
  readonly connection: Connection;
}

const exact = new Map<string, Connection[]>();
const prefixes: PrefixSubscription[] = [];
const matchCache = new Map<string, Connection[]>();
const dirty: Connection[] = [];
let flushScheduled = false;

/** The kernel usually takes all, and then the buffer is ours again. If not, the socket keeps it and we take another. */
function flush(): void {
  flushScheduled = false;
  for (let i = 0; i < dirty.length; i++) {
    const connection = dirty[i];
    connection.isDirty = false;
    connection.socket.write(connection.out.subarray(0, connection.outLength));
    if (connection.socket.writableLength > 0) connection.out = Buffer.allocUnsafeSlow(connection.out.length);
    connection.outLength = 0;
  }
  dirty.length = 0;
}

function match(topic: string): Connection[] {
  const cached = matchCache.get(topic);
  if (cached !== undefined) return cached;
  const found = [...(exact.get(topic) ?? [])];
  for (const { prefix, connection } of prefixes) if (topic.startsWith(prefix)) found.push(connection);
  matchCache.set(topic, found);
  return found;
}

function onData(connection: Connection, data: Buffer): void {
  const chunk = connection.rest === null ? data : Buffer.concat([connection.rest, data]);
  connection.rest = null;
  let at = 0;
  while (at + 2 <= chunk.length) {
    let body = at + 1;
    let length = 0;
    let shift = 0;
    let byte = 0;
    do {
      byte = chunk[body++];
      length |= (byte & 127) << shift;
      shift += 7;
    } while (byte & 128 && body < chunk.length);
    if (byte & 128) break;
    const end = body + length;
    if (end > chunk.length) break;
    if (chunk[at] >> 4 === 3) onPublish(chunk, at, body, end);
    else onOtherPacket(connection, chunk[at] >> 4, chunk, body);
    at = end;
  }
  if (at < chunk.length) connection.rest = at === 0 ? chunk : chunk.subarray(at);
}

function onPublish(chunk: Buffer, start: number, body: number, end: number): void {
  const topicEnd = body + 2 + ((chunk[body] << 8) | chunk[body + 1]);
  const subscribers = match(chunk.latin1Slice(body + 2, topicEnd));
  for (let i = 0; i < subscribers.length; i++) subscribers[i].append(chunk, start, end);
}

function answer(connection: Connection, ...bytes: number[]): void {
  connection.append(Buffer.from(bytes), 0, bytes.length);
}

function onOtherPacket(connection: Connection, type: number, chunk: Buffer, body: number): void {
  if (type === 1) {
    connection.isVersion5 = chunk[body + 6] === 5;
    if (connection.isVersion5) answer(connection, 0x20, 3, 0, 0, 0);
    else answer(connection, 0x20, 2, 0, 0);
  } else if (type === 8) {
    onSubscribe(connection, chunk, body);
  } else if (type === 12) {
    answer(connection, 0xd0, 0);
  }
}

function onSubscribe(connection: Connection, chunk: Buffer, body: number): void {
  const at = body + (connection.isVersion5 ? 3 : 2);
  const filter = chunk.latin1Slice(at + 2, at + 2 + ((chunk[at] << 8) | chunk[at + 1]));
  if (filter.endsWith('#')) prefixes.push({ prefix: filter.slice(0, -1), connection });
  else exact.set(filter, [...(exact.get(filter) ?? []), connection]);
  matchCache.clear();
  const [high, low] = [chunk[body], chunk[body + 1]];
  if (connection.isVersion5) answer(connection, 0x90, 4, high, low, 0, 0);
  else answer(connection, 0x90, 3, high, low, 0);
}

/** Removes the subscriptions of a connection with it, so that later rows do not pay for earlier ones. */
function onClose(connection: Connection): void {
  for (const [filter, connections] of exact) {
    const left = connections.filter((other) => other !== connection);
    if (left.length === 0) exact.delete(filter);
    else if (left.length < connections.length) exact.set(filter, left);
  }
  for (let i = prefixes.length - 1; i >= 0; i--) if (prefixes[i].connection === connection) prefixes.splice(i, 1);
  matchCache.clear();
}

const server = net.createServer({ noDelay: true }, (socket) => {
  const connection = new Connection(socket);
  socket.on('data', (data: Buffer) => onData(connection, data));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => onClose(connection));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
