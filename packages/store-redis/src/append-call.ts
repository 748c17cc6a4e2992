/**
 * Appends of one turn as one script call: messages for one log that come one after the other become one chunk (log-chunk.ts).
 */
import type { AppendOrigin, AppendRequest, AppendResult } from '@dunlin/broker';
import type { Keys, Shard } from './keys.ts';
import { chunkBytesMax, chunkHeaderBytes, chunkMessagesMax, messageHeaderBytes, writeMessage } from './log-chunk.ts';
import { scripts } from './scripts.ts';
import { type Argument, type Call, type Reply, ShardKeys } from './turn.ts';

/** Limit of the bytes in one call: larger calls keep the server from others for too long. */
const callBytesMax = 1_048_576;
const callMessagesMax = 5000;

/** Log of a filter, with what every append to it needs. */
export interface LogName {
  readonly filter: string;
  readonly bytes: Buffer;
  readonly shard: Shard;
  readonly stream: string;
}

/** Logs by filter, kept because they are looked up again and again. */
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

/** A message on its way to logs. */
export interface LogAppend {
  request: AppendRequest;
  /** Producer as logs know it; null for none. */
  producer: Buffer | null;
  /** The session of the publisher has moved: nothing is appended. */
  refused: boolean;
  result: AppendResult;
}

/**
 * Identity of a call, which tells it from its repetition. A batch becomes as many calls as its size and the slots of
 * its logs make necessary, the same ones whenever it is given: those of one slot are its parts, numbered from 0, and
 * Redis remembers what each was answered.
 */
export class AppendPart {
  readonly origin: AppendOrigin;
  readonly number: number;
  readonly key: string;

  /** `home`: the shard that remembers the batch; one of the call's slot. */
  constructor(origin: AppendOrigin, home: Shard, number: number) {
    this.origin = origin;
    this.number = number;
    this.key = `${home.start}writer:${origin.writer}`;
  }

  get args(): string[] {
    return [String(this.origin.batch), String(this.number), String(rememberedMilliseconds)];
  }
}

/**
 * Time for which Redis remembers a batch. A writer that repeats a batch later than this after its first attempt has
 * waited for Redis all the time, whose clock this is.
 */
const rememberedMilliseconds = 7 * 24 * 3600 * 1000;

/** Kinds of runs by what they need in addition to their messages; the numbers are those in scripts/append.lua. */
const kinds = { plain: 0, produced: 1, refused: 2 } as const;

/** Messages of one chunk. */
class Run {
  readonly log: Log;
  readonly records: Uint8Array[];
  readonly expiries: number[];
  /** Results that get the number of each message. */
  readonly results: AppendResult[];
  readonly places: number[];
  bytes: number;
  /** True: no other message may join. */
  readonly isSingle: boolean;
  readonly kind: number;
  readonly producer: Buffer | null;
  readonly producerNumber: number;
  /** Epoch of the owner of its session; 0: of an unknown one. */
  readonly epoch: number;
  readonly digest: number;

  constructor(log: Log, isSingle: boolean, { request, producer, refused }: LogAppend) {
    this.log = log;
    this.records = [];
    this.expiries = [];
    this.results = [];
    this.places = [];
    this.bytes = 0;
    this.isSingle = isSingle;
    this.kind = refused ? kinds.refused : producer === null ? kinds.plain : kinds.produced;
    this.producer = producer;
    this.producerNumber = request.producer?.number ?? 0;
    this.epoch = request.inbound?.key.epoch ?? 0;
    this.digest = (request.producer?.digest ?? 0) >>> 0;
  }

  get chunkBytes(): number {
    return chunkHeaderBytes + messageHeaderBytes * this.records.length + this.bytes;
  }
}

class Log {
  readonly name: LogName;
  /** Index of the log from 1, over all shards of the call; known when the call is built. */
  number: number;
  /** The run that the next message joins. */
  run: Run | null;

  constructor(name: LogName) {
    this.name = name;
    this.number = 0;
    this.run = null;
  }
}

/** Name of a producer in the logs: a session that ended and its successor are two producers. */
export function producerName(clientId: string, sessionId: string): string {
  return `${clientId}\0${sessionId}`;
}

/** The first number of the era of a log's shard (continuity.ts). */
export type EraOf = (shard: Shard) => number;

export class AppendCall implements Call {
  readonly slot: number;
  readonly writes: boolean;
  /** Null for appends without an origin. */
  readonly part: AppendPart | null;
  readonly done: Promise<void>;
  private resolve!: () => void;
  private reject!: (error: Error) => void;
  private readonly eraOf: EraOf;
  private readonly logs: Map<LogName, Log>;
  private readonly runs: Run[];
  private bytes: number;
  private messages: number;

  constructor(slot: number, part: AppendPart | null, eraOf: EraOf) {
    this.slot = slot;
    this.part = part;
    this.writes = true;
    this.eraOf = eraOf;
    this.logs = new Map();
    this.runs = [];
    this.bytes = 0;
    this.messages = 0;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Each waiting append handles it.
    this.done.catch(() => {});
  }

  get isFull(): boolean {
    return this.bytes >= callBytesMax || this.messages >= callMessagesMax;
  }

  /** The number will be put into `result[place]` before `done` resolves. */
  add(name: LogName, append: LogAppend, place: number): void {
    let log = this.logs.get(name);
    if (log === undefined) {
      log = new Log(name);
      this.logs.set(name, log);
    }
    let { run } = log;
    const { request, result } = append;
    const { record } = request;
    // By the content of the request, not by the state of its session: a repetition must have the same runs.
    const isSingle = request.producer !== null || request.inbound !== null;
    if (
      run === null ||
      isSingle ||
      run.isSingle ||
      run.bytes + record.length > chunkBytesMax ||
      run.records.length >= chunkMessagesMax
    ) {
      run = new Run(log, isSingle, append);
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
    let bytes = 2 + 10 * logsOf.length + 4;
    let count = 0;
    for (const logs of logsOf) {
      for (const log of logs) {
        log.number = ++count;
        args.push(log.name.stream);
        bytes += 2 + log.name.bytes.length;
      }
    }
    if (this.part !== null) args.push(this.part.key);
    args[1] = String(args.length - 2);
    for (const run of this.runs) {
      bytes += 17 + run.chunkBytes + (run.producer === null ? 0 : 24 + run.producer.length);
    }
    args.push(this.write(Buffer.allocUnsafe(bytes), logsOf));
    if (this.part !== null) args.push(...this.part.args);
    return { name: 'EVALSHA', args };
  }

  /** The layout is in scripts/append.lua. */
  private write(blob: Buffer, logsOf: readonly Log[][]): Buffer {
    let at = blob.writeUInt16BE(logsOf.length, 0);
    for (const logs of logsOf) {
      at = blob.writeDoubleBE(this.eraOf(logs[0].name.shard), at);
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
      at = blob.writeUInt8(run.kind, at);
      at = blob.writeUInt32BE(run.chunkBytes, at);
      at = blob.writeUInt32BE(run.records.length, at);
      for (let i = 0; i < run.records.length; i++) at = writeMessage(blob, at, run.records[i], run.expiries[i]);
      if (run.producer !== null) {
        at = blob.writeUInt32BE(run.producer.length, at);
        blob.set(run.producer, at);
        at = blob.writeDoubleBE(run.producerNumber, at + run.producer.length);
        at = blob.writeUInt32BE(run.digest, at);
        at = blob.writeDoubleBE(run.epoch, at);
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
        // Numbers after the first are as far from 0 as it is, each further by one.
        results[message][places[message]] = first > 0 ? first + message : first < 0 ? first - message : 0;
      }
    }
    this.resolve();
  }

  fail(error: Error): void {
    this.reject(error);
  }
}
