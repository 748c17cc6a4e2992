/**
 * Calls of one turn of the event loop, gathered into as few script calls as their order allows, and sent together.
 * Changes of one kind share a call: a change joins the last call of its kind, unless a call on the same names was added
 * after it.
 */
import type { Shard } from './keys.ts';
import { storeError } from './reply-error.ts';
import type { Script } from './scripts.ts';

export type Argument = string | Buffer;
export type Reply = unknown;

/** A command that is sent to the server of this slot. */
export interface Command {
  readonly slot: number;
  readonly writes: boolean;
  readonly name: string;
  readonly args: Argument[];
}

/** Connection that commands go to. */
export interface Link {
  /** True: a command may touch one slot only (Cluster). */
  readonly hasSlots: boolean;
  send(command: Command): Promise<Reply>;
  /**
   * Sends one more write after those to these slots; null: there are no marks. `confirmed` is called when it is as safe
   * as they are.
   */
  mark(slots: ReadonlySet<number>): { written: Promise<unknown>; confirmed: () => void } | null;
  /**
   * Resolves when the writes of a batch are as safe as configured, on every server that they went to. Null: no wait is
   * needed.
   */
  confirm(slots: ReadonlySet<number>): Promise<void> | null;
}

/**
 * Arguments of one script call, above which no more are added: Redis serves no other client meanwhile, and a change of
 * six of them takes 10 to 20 µs.
 */
const argumentsMax = 1500;
/** Bytes of arguments in one script call, above which no more are added. */
const bytesMax = 1_048_576;

/** A call that becomes one command when the turn ends. */
export interface Call {
  readonly slot: number;
  readonly writes: boolean;
  build(): { name: string; args: Argument[] };
  settle(reply: Reply): void;
  fail(error: Error): void;
}

/** Numbers the shards of a script call and lists their keys. */
export class ShardKeys {
  readonly keys: string[];
  private readonly script: Script;
  private readonly numbers: Map<Shard, number>;

  constructor(script: Script) {
    this.script = script;
    this.keys = [];
    this.numbers = new Map();
  }

  get count(): number {
    return this.numbers.size;
  }

  /** Index from 1. */
  number(shard: Shard): number {
    let number = this.numbers.get(shard);
    if (number === undefined) {
      number = this.numbers.size + 1;
      this.numbers.set(shard, number);
      for (const name of this.script.shardKeys) this.keys.push(shard.start + name);
    }
    return number;
  }
}

/** Changes of one kind. The reply is a list with one answer each, or nothing. */
export class ScriptCall implements Call {
  readonly script: Script;
  readonly slot: number;
  readonly writes: boolean;
  private readonly shards: ShardKeys;
  private readonly header: ((shards: number) => Argument[]) | null;
  private readonly keys: string[];
  private readonly args: Argument[];
  private readonly waiting: { resolve: (answer: Reply) => void; reject: (error: Error) => void }[];
  private bytes: number;

  /** `header`: arguments in front of those of the changes. */
  constructor(script: Script, slot: number, header: ((shards: number) => Argument[]) | null) {
    this.script = script;
    this.slot = slot;
    this.writes = script.writes;
    this.shards = new ShardKeys(script);
    this.header = header;
    this.keys = [];
    this.args = [];
    this.waiting = [];
    this.bytes = 0;
  }

  get isFull(): boolean {
    return this.args.length >= argumentsMax || this.bytes >= bytesMax;
  }

  add(shard: Shard, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    this.args.push(String(this.shards.number(shard)));
    for (const argument of args) {
      this.args.push(argument);
      this.bytes += argument.length;
    }
    for (const key of keys) this.keys.push(key);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  build(): { name: string; args: Argument[] } {
    const { script, shards, keys, header } = this;
    const count = shards.keys.length + keys.length;
    const head = header === null ? [] : header(shards.count);
    return { name: 'EVALSHA', args: [script.sha, String(count), ...shards.keys, ...keys, ...head, ...this.args] };
  }

  settle(reply: Reply): void {
    const answers = Array.isArray(reply) ? reply : null;
    for (let i = 0; i < this.waiting.length; i++) this.waiting[i].resolve(answers === null ? null : answers[i]);
  }

  fail(error: Error): void {
    for (const { reject } of this.waiting) reject(error);
  }
}

/** Command with one answer. */
export class SingleCall implements Call {
  readonly slot: number;
  readonly writes: boolean;
  readonly reply: Promise<Reply>;
  private readonly name: string;
  private readonly args: Argument[];
  private resolve!: (reply: Reply) => void;
  private reject!: (error: Error) => void;

  constructor(slot: number, writes: boolean, name: string, args: Argument[]) {
    this.slot = slot;
    this.writes = writes;
    this.name = name;
    this.args = args;
    this.reply = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  build(): { name: string; args: Argument[] } {
    return { name: this.name, args: this.args };
  }

  settle(reply: Reply): void {
    this.resolve(reply);
  }

  fail(error: Error): void {
    this.reject(error);
  }
}

interface OpenCall {
  call: ScriptCall;
  place: number;
}

export class Turn {
  private readonly link: Link;
  private calls: Call[];
  /** The last call of each kind and slot group, that changes may join. */
  private readonly open: Map<Script, Map<number, OpenCall>>;
  /** Place of the last call that touched a session. */
  private readonly touched: Map<string, number>;
  private scheduled: boolean;
  private underWay: number;
  private idle: (() => void)[];
  private readonly preparing: (() => void)[];
  /** Called with every error of Redis, and the slot that it came from. */
  private readonly failed: (error: unknown, slot: number) => void;

  constructor(link: Link, failed: (error: unknown, slot: number) => void) {
    this.link = link;
    this.failed = failed;
    this.calls = [];
    this.open = new Map();
    this.touched = new Map();
    this.scheduled = false;
    this.underWay = 0;
    this.idle = [];
    this.preparing = [];
  }

  /** True: a call may touch the shards of one slot only. */
  get hasSlots(): boolean {
    return this.link.hasSlots;
  }

  /** Slot group: calls of one slot go together. Without slots, all do. */
  group(shard: Shard): number {
    return this.link.hasSlots ? shard.slot : 0;
  }

  /**
   * Adds a change that may share a call. `touched` names what must not be overtaken: changes with the same names keep
   * their order.
   */
  change(
    script: Script,
    shard: Shard,
    touched: string,
    keys: readonly string[],
    args: readonly Argument[],
    header: ((shards: number) => Argument[]) | null,
  ): Promise<Reply> {
    const group = this.group(shard);
    let groups = this.open.get(script);
    if (groups === undefined) {
      groups = new Map();
      this.open.set(script, groups);
    }
    let open = groups.get(group);
    if (open === undefined || open.call.isFull || open.place < (this.touched.get(touched) ?? -1)) {
      open = { call: new ScriptCall(script, shard.slot, header), place: this.calls.length };
      groups.set(group, open);
      this.add(open.call);
    }
    this.touched.set(touched, open.place);
    return open.call.add(shard, keys, args);
  }

  /**
   * Adds a call after all others. Later calls with the same names, null for everything, go after it, not with calls
   * before it.
   */
  single<T extends Call>(call: T, touched: string | null): T {
    if (touched === null) this.close();
    else this.touched.set(touched, this.calls.length);
    this.add(call);
    return call;
  }

  /** Closes the batch: later calls are sent after it, not with it. */
  close(): void {
    this.open.clear();
    this.touched.clear();
  }

  private add(call: Call): void {
    this.calls.push(call);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Resolves when all calls have been answered. */
  drain(): Promise<void> {
    if (this.calls.length === 0 && this.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  /** Registers a caller that fills calls of its own: it is called before the calls of each turn are sent. */
  beforeFlush(prepare: () => void): void {
    this.preparing.push(prepare);
  }

  private flush(): void {
    this.scheduled = false;
    for (const prepare of this.preparing) prepare();
    const { calls } = this;
    this.calls = [];
    this.close();
    const slots = new Set<number>();
    const replies: Promise<Reply>[] = [];
    for (const call of calls) {
      const { name, args } = call.build();
      replies.push(this.link.send({ slot: call.slot, writes: call.writes, name, args }));
      if (call.writes) slots.add(call.slot);
    }
    const mark = slots.size === 0 ? null : this.link.mark(slots);
    const confirmed = slots.size === 0 ? null : this.link.confirm(slots);
    // It may have no waiter, when all calls fail before.
    confirmed?.catch(() => {});
    // A refused mark shows nothing: the next one counts.
    if (mark !== null) Promise.all([mark.written, confirmed]).then(mark.confirmed, () => {});
    for (let i = 0; i < calls.length; i++) this.answer(calls[i], replies[i], calls[i].writes ? confirmed : null);
  }

  private answer(call: Call, reply: Promise<Reply>, confirmed: Promise<void> | null): void {
    this.underWay++;
    const confirmedReply = confirmed === null ? reply : reply.then((answer) => confirmed.then(() => answer));
    confirmedReply
      .then(
        (answer) => call.settle(answer),
        (error: unknown) => {
          this.failed(error, call.slot);
          call.fail(storeError(error));
        },
      )
      .finally(() => this.answered());
  }

  private answered(): void {
    this.underWay--;
    if (this.underWay > 0 || this.calls.length > 0) return;
    for (const wake of this.idle.splice(0)) wake();
  }
}
