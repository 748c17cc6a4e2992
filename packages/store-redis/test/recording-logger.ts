import type { LogEvent, Logger } from '@dunlin/broker';

export interface Line {
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
  fields: Record<string, unknown>;
}

/** Keeps what was logged, and lets a test wait for a line. */
export class RecordingLogger implements Logger {
  readonly lines: Line[] = [];
  #waiting: { matches: (line: Line) => boolean; resolve: (line: Line) => void }[] = [];

  debug(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#add('debug', event.message, fields);
  }
  info(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#add('info', event.message, fields);
  }
  warn(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#add('warn', event.message, fields);
  }
  error(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#add('error', event.message, fields);
  }

  /** Lines of one kind. */
  count(pattern: RegExp): number {
    return this.lines.filter(({ message }) => pattern.test(message)).length;
  }

  /** The first line that says so, now or later. */
  line(pattern: RegExp): Promise<Line> {
    const matches = ({ message }: Line) => pattern.test(message);
    const found = this.lines.find(matches);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  #add(level: Line['level'], message: string, fields: Record<string, unknown> = {}): void {
    // What Redis itself is blamed for stands in a field.
    const why = fields.reason ?? (level === 'error' ? fields.error : undefined);
    const line = { level, message: why === undefined ? message : `${message}: ${why}`, fields };
    this.lines.push(line);
    for (const waiting of this.#waiting) if (waiting.matches(line)) waiting.resolve(line);
    this.#waiting = this.#waiting.filter((waiting) => !waiting.matches(line));
  }
}

/** States of a store's connection as it logs them, with a way to wait for them. */
export class Status {
  readonly history: boolean[] = [];
  #waiting: { wanted: boolean; resolve: () => void }[] = [];

  readonly set = (connected: boolean): void => {
    this.history.push(connected);
    for (const { wanted, resolve } of this.#waiting) if (wanted === connected) resolve();
    this.#waiting = this.#waiting.filter(({ wanted }) => wanted !== connected);
  };

  /** Next state. */
  next(): Promise<boolean> {
    return new Promise((resolve) => {
      for (const wanted of [true, false]) this.#waiting.push({ wanted, resolve: () => resolve(wanted) });
    });
  }

  /** Resolves when it is so, or at once if it is. */
  is(wanted: boolean): Promise<void> {
    if (this.history.at(-1) === wanted) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ wanted, resolve }));
  }
}
