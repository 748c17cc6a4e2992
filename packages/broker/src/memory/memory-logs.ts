import { LogSizes } from '../ports/log-sizes.ts';
import type { AppendRequest, DurableFilter, LogEntry, LogLimits, LogPage } from '../ports/log-store.ts';

/** Filters that are durable no more and whose last numbers are kept. */
const endedFiltersMax = 1024;

interface Log {
  /** Number up to which each client with a cursor has acknowledged; empty: the filter is not durable. */
  cursors: Map<string, number>;
  entries: LogEntry[];
  bytes: number;
  lastSequence: number;
  /** Sequence by producer and number; producers without a number have no entry. */
  taken: Map<string, Map<number, number>>;
}

/** Logs of the memory store. */
export class MemoryLogs {
  /** Bytes of all logs. */
  bytes = 0;
  /** The highest number in logs of filters that were forgotten: new logs go on behind it. */
  private forgottenEnd = 0;
  private readonly logs = new Map<string, Log>();
  /** Logs that hold a number of the producer. */
  private readonly takenBy = new Map<string, Set<Log>>();

  /**
   * Creates the log if necessary, and adds a cursor of the client at its end unless there is one. Returns the end, and
   * whether the cursor is new.
   */
  addCursor(filter: string, clientId: string): { lastSequence: number; added: boolean } {
    const log = this.logs.get(filter) ?? {
      cursors: new Map(),
      entries: [],
      bytes: 0,
      lastSequence: this.forgottenEnd,
      taken: new Map(),
    };
    this.logs.set(filter, log);
    const added = !log.cursors.has(clientId);
    if (added) log.cursors.set(clientId, log.lastSequence);
    return { lastSequence: log.lastSequence, added };
  }

  moveCursor(filter: string, clientId: string, acknowledged: number): void {
    this.logs.get(filter)?.cursors.set(clientId, acknowledged);
  }

  /** Removes a cursor. A log without cursors loses its messages; its numbering continues. */
  removeCursor(filter: string, clientId: string): void {
    const log = this.logs.get(filter);
    if (log === undefined || !log.cursors.delete(clientId) || log.cursors.size > 0) return;
    this.bytes -= log.bytes;
    log.entries = [];
    log.bytes = 0;
    for (const producer of [...log.taken.keys()]) this.forgetAll(log, producer);
  }

  durableFilters(): DurableFilter[] {
    const filters: DurableFilter[] = [];
    for (const [filter, { cursors, lastSequence }] of this.logs) {
      if (cursors.size > 0) filters.push({ filter, lastSequence });
    }
    return filters;
  }

  end(filter: string): number {
    return this.logs.get(filter)?.lastSequence ?? 0;
  }

  /** Appends, as AppendResult says. */
  append(request: AppendRequest): number[] {
    return request.filters.map((filter) => this.appendTo(filter, request));
  }

  forgetProducer(clientId: string): void {
    for (const log of [...(this.takenBy.get(clientId) ?? [])]) this.forgetAll(log, clientId);
  }

  forgetProducerNumber(clientId: string, number: number): void {
    for (const log of [...(this.takenBy.get(clientId) ?? [])]) {
      const numbers = log.taken.get(clientId);
      numbers?.delete(number);
      if (numbers?.size === 0) this.forgetAll(log, clientId);
    }
  }

  read(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): LogPage {
    const log = this.logs.get(filter);
    if (log === undefined)
      return { entries: [], lastSequence: this.forgottenEnd, firstSequence: this.forgottenEnd + 1 };
    const { lastSequence } = log;
    const page: LogPage = { entries: [], lastSequence, firstSequence: log.entries[0]?.sequence ?? lastSequence + 1 };
    let bytes = 0;
    // Numbers have no gap, and messages leave at the front alone.
    for (let at = Math.max(0, from - page.firstSequence); at < log.entries.length; at++) {
      const entry = log.entries[at];
      if (entry.expiresAt <= now) continue;
      bytes += entry.record.length;
      if (page.entries.length >= messagesMax || (bytes > bytesMax && page.entries.length > 0)) break;
      page.entries.push({ ...entry });
    }
    return page;
  }

  /** Returns how many messages were dropped by limit. */
  trim(limits: LogLimits, now: number): number {
    this.forgetEnded();
    const dropped = this.trimEach(limits, now);
    const { totalBytesMax = Number.POSITIVE_INFINITY } = limits;
    if (this.bytes <= totalBytesMax) return dropped;
    const sizes = new LogSizes();
    for (const { bytes } of this.logs.values()) sizes.add(bytes);
    return dropped + this.trimEach({ ...limits, bytesMax: sizes.levelFor(totalBytesMax) }, now);
  }

  private forgetEnded(): void {
    let ended = 0;
    for (const [filter, { cursors, lastSequence }] of this.logs) {
      if (cursors.size > 0 || ++ended <= endedFiltersMax) continue;
      this.forgottenEnd = Math.max(this.forgottenEnd, lastSequence);
      this.logs.delete(filter);
    }
  }

  private trimEach(limits: LogLimits, now: number): number {
    let dropped = 0;
    for (const log of this.logs.values()) {
      let passed = log.lastSequence;
      for (const acknowledged of log.cursors.values()) passed = Math.min(passed, acknowledged);
      for (let entry = log.entries[0]; entry !== undefined; entry = log.entries[0]) {
        const over = log.entries.length > limits.messagesMax || log.bytes > limits.bytesMax;
        const expired = entry.expiresAt <= now;
        if (entry.sequence > passed && !over && !expired) break;
        if (entry.sequence > passed && !expired) dropped++;
        log.entries.shift();
        log.bytes -= entry.record.length;
        this.bytes -= entry.record.length;
      }
    }
    return dropped;
  }

  private forgetAll(log: Log, producer: string): void {
    log.taken.delete(producer);
    const logs = this.takenBy.get(producer);
    logs?.delete(log);
    if (logs?.size === 0) this.takenBy.delete(producer);
  }

  private appendTo(filter: string, { record, expiresAt, producer }: AppendRequest): number {
    const log = this.logs.get(filter);
    if (log === undefined || log.cursors.size === 0) return 0;
    if (producer !== null) {
      const numbers = log.taken.get(producer.clientId) ?? new Map<number, number>();
      log.taken.set(producer.clientId, numbers);
      const sequence = numbers.get(producer.number);
      if (sequence !== undefined) return -sequence;
      numbers.set(producer.number, log.lastSequence + 1);
      const logs = this.takenBy.get(producer.clientId);
      if (logs === undefined) this.takenBy.set(producer.clientId, new Set([log]));
      else logs.add(log);
    }
    log.entries.push({ sequence: ++log.lastSequence, record, expiresAt });
    log.bytes += record.length;
    this.bytes += record.length;
    return log.lastSequence;
  }
}
