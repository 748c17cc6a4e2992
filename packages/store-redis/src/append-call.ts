/**
 * Appends of one turn as one script call: messages for one log that come one after the other become one chunk (log-chunk.ts).
 */
import type { AppendRequest, AppendResult } from '@dunlin/broker';
import type { Keys, Shard } from './keys.ts';
import { chunkBytesMax, chunkHeaderBytes, chunkMessagesMax, messageHeaderBytes, writeMessage } from './log-chunk.ts';
import { scripts } from './scripts.ts';
import { type Argument, type Call, type Reply, ShardKeys } from './turn.ts';

/** Bytes in one call: larger ones keep the server from others for too long. */
const callBytesMax = 1_048_576;
const callMessagesMax = 5000;

/** What every append to a filter needs to know of it. */
export interface LogName {
  readonly filter: string;
  readonly bytes: Buffer;
  readonly shard: Shard;
  readonly stream: string;
}

/** Names of logs, kept because they are asked for again and again. */
export class LogNames {
  private readonly keys: Keys;
  private readonly names: Map<string, LogName>;

  constructor(keys: Keys) {
    this.keys = keys;
    this.names = new Map();
  }

  get(filter: string): LogName {
    let name = this.names.get(filter);
    if (name === undefined) {
      const shard = this.keys.shardOf('l', filter);
      name = { filter, bytes: Buffer.from(filter), shard, stream: `${shard.start}log:${filter}` };
      if (this.names.size >= namesMax) this.names.clear();
      this.names.set(filter, name);
    }
    return name;
  }
}

/** About 20 MiB with filters of usual length. */
const namesMax = 65_536;

/** Messages of one chunk. */
class Run {
  readonly log: Log;
  readonly records: Uint8Array[];
  readonly expiries: number[];
  /** Where the number of each message goes. */
  readonly results: AppendResult[];
  readonly places: number[];
  bytes: number;
  readonly producer: Buffer | null;
  readonly producerNumber: number;

  constructor(log: Log, producer: Buffer | null, producerNumber: number) {
    this.log = log;
    this.records = [];
    this.expiries = [];
    this.results = [];
    this.places = [];
    this.bytes = 0;
    this.producer = producer;
    this.producerNumber = producerNumber;
  }

  get chunkBytes(): number {
    return chunkHeaderBytes + messageHeaderBytes * this.records.length + this.bytes;
  }
}

class Log {
  readonly name: LogName;
  /** Counted from 1, over all shards of the call; known when the call is built. */
  number: number;
  /** The run that the next message joins. */
  run: Run | null;

  constructor(name: LogName) {
    this.name = name;
    this.number = 0;
    this.run = null;
  }
}

/** Identifies a producer in the logs: a session that ended and its successor are two. */
export function producerName(clientId: string, sessionId: string): string {
  return `${clientId}\0${sessionId}`;
}

export class AppendCall implements Call {
  readonly slot: number;
  readonly writes: boolean;
  readonly done: Promise<void>;
  private resolve!: () => void;
  private reject!: (error: Error) => void;
  private readonly logs: Map<LogName, Log>;
  private readonly runs: Run[];
  private bytes: number;
  private messages: number;

  constructor(slot: number) {
    this.slot = slot;
    this.writes = true;
    this.logs = new Map();
    this.runs = [];
    this.bytes = 0;
    this.messages = 0;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Each append that waits handles it.
    this.done.catch(() => {});
  }

  get isFull(): boolean {
    return this.bytes >= callBytesMax || this.messages >= callMessagesMax;
  }

  /** The number will be put into `result[place]` before `done` resolves. */
  add(name: LogName, request: AppendRequest, producer: Buffer | null, result: AppendResult, place: number): void {
    let log = this.logs.get(name);
    if (log === undefined) {
      log = new Log(name);
      this.logs.set(name, log);
    }
    let { run } = log;
    const { record } = request;
    if (
      run === null ||
      producer !== null ||
      run.producer !== null ||
      run.bytes + record.length > chunkBytesMax ||
      run.records.length >= chunkMessagesMax
    ) {
      run = new Run(log, producer, request.producer?.number ?? 0);
      log.run = run;
      this.runs.push(run);
    }
    run.records.push(record);
    run.expiries.push(request.expiresAt);
    run.results.push(result);
    run.places.push(place);
    run.bytes += record.length;
    this.bytes += record.length + messageHeaderBytes;
    this.messages++;
  }

  build(): { name: string; args: Argument[] } {
    const shards = new ShardKeys(scripts.append);
    const logsOf: Log[][] = [];
    for (const log of this.logs.values()) {
      const number = shards.number(log.name.shard);
      if (number > logsOf.length) logsOf.push([]);
      logsOf[number - 1].push(log);
    }
    const args: Argument[] = [scripts.append.sha, '', ...shards.keys];
    let bytes = 2 + 2 * logsOf.length + 4;
    let count = 0;
    for (const logs of logsOf) {
      for (const log of logs) {
        log.number = ++count;
        args.push(log.name.stream);
        bytes += 2 + log.name.bytes.length;
      }
    }
    args[1] = String(args.length - 2);
    for (const run of this.runs) {
      bytes += 17 + run.chunkBytes + (run.producer === null ? 0 : 12 + run.producer.length);
    }
    args.push(this.write(Buffer.allocUnsafe(bytes), logsOf));
    return { name: 'EVALSHA', args };
  }

  /** The layout is in scripts/append.lua. */
  private write(blob: Buffer, logsOf: readonly Log[][]): Buffer {
    let at = blob.writeUInt16BE(logsOf.length, 0);
    for (const logs of logsOf) {
      at = blob.writeUInt16BE(logs.length, at);
      for (const { name } of logs) {
        at = blob.writeUInt16BE(name.bytes.length, at);
        blob.set(name.bytes, at);
        at += name.bytes.length;
      }
    }
    at = blob.writeUInt32BE(this.runs.length, at);
    for (const run of this.runs) {
      at = blob.writeUInt32BE(run.log.number, at);
      at = blob.writeUInt32BE(run.records.length, at);
      at = blob.writeUInt32BE(run.bytes, at);
      at = blob.writeUInt8(run.producer === null ? 0 : 1, at);
      at = blob.writeUInt32BE(run.chunkBytes, at);
      at = blob.writeUInt32BE(run.records.length, at);
      for (let i = 0; i < run.records.length; i++) at = writeMessage(blob, at, run.records[i], run.expiries[i]);
      if (run.producer !== null) {
        at = blob.writeUInt32BE(run.producer.length, at);
        blob.set(run.producer, at);
        at = blob.writeDoubleBE(run.producerNumber, at + run.producer.length);
      }
    }
    return blob;
  }

  settle(reply: Reply): void {
    const firsts = reply as number[];
    for (let i = 0; i < this.runs.length; i++) {
      const { results, places } = this.runs[i];
      const first = firsts[i];
      for (let message = 0; message < results.length; message++) {
        results[message][places[message]] = first > 0 ? first + message : first;
      }
    }
    this.resolve();
  }

  fail(error: Error): void {
    this.reject(error);
  }
}
