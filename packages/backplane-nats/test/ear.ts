import type { BackplaneReceiver, EndpointId, LogEvent, Logger } from '@dunlin/broker';
import { withDeadline } from '@dunlin/testkit';

/** Lets tests wait until something they can ask about is so. */
export class Events {
  #waiting: (() => void)[] = [];

  /** Something changed: everybody who waits looks again. */
  changed(): void {
    for (const look of this.#waiting.splice(0)) look();
  }

  async until(
    what: string,
    isSo: () => boolean,
    milliseconds = 10_000,
    describe: () => string = () => '',
  ): Promise<void> {
    let over = false;
    const wait = async () => {
      while (!isSo() && !over) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    await withDeadline(wait(), () => `${what} did not come; ${describe()}`, milliseconds).finally(() => {
      over = true;
    });
  }
}

/** Event that an endpoint was told. */
export type Heard =
  | { kind: 'joined' | 'left'; endpoint: EndpointId }
  | { kind: 'bytes'; endpoint: EndpointId; bytes: Uint8Array }
  | { kind: 'denied'; what: readonly string[] }
  | { kind: 'reconnected' | 'connected' | 'disconnected' | 'evicted' | 'leaseLost' | 'leaseRegained' };

/** Remembers what an endpoint was told, in order, and lets a test wait for it. */
export class Ear implements BackplaneReceiver {
  readonly events = new Events();
  readonly heard: Heard[] = [];

  endpointJoined(endpoint: EndpointId): void {
    this.add({ kind: 'joined', endpoint });
  }

  endpointLeft(endpoint: EndpointId): void {
    this.add({ kind: 'left', endpoint });
  }

  received(endpoint: EndpointId, bytes: Uint8Array): void {
    this.add({ kind: 'bytes', endpoint, bytes });
  }

  reconnected(): void {
    this.add({ kind: 'reconnected' });
  }

  add(heard: Heard): void {
    this.heard.push(heard);
    this.events.changed();
  }

  count(kind: Heard['kind'], endpoint?: EndpointId): number {
    return this.heard.filter(
      (heard) =>
        heard.kind === kind && (endpoint === undefined || !('endpoint' in heard) || heard.endpoint === endpoint),
    ).length;
  }

  /** Waits until it was told so often. */
  async until(kind: Heard['kind'], endpoint?: EndpointId, times = 1, milliseconds = 10_000): Promise<void> {
    const what = `${kind} ${endpoint ?? ''} ${times}x`;
    await this.events.until(
      what,
      () => this.count(kind, endpoint) >= times,
      milliseconds,
      () => this.words(),
    );
  }

  /** The messages of an endpoint as text. */
  texts(from?: EndpointId): string[] {
    return this.heard.flatMap((heard) =>
      heard.kind === 'bytes' && (from === undefined || heard.endpoint === from)
        ? [Buffer.from(heard.bytes).toString()]
        : [],
    );
  }

  async untilText(text: string): Promise<void> {
    await this.events.until(
      `"${text}"`,
      () => this.texts().includes(text),
      10_000,
      () => this.words(),
    );
  }

  /** The last things it was told. */
  words(): string {
    const last = this.heard.slice(-20).map((heard) => `${heard.kind} ${'endpoint' in heard ? heard.endpoint : ''}`);
    return `heard ${this.heard.length}, at last: ${last.join(', ')}`;
  }
}

/** Errors as the text that the log has of them. */
function told(_: string, value: unknown): unknown {
  return value instanceof Error ? String(value) : value;
}

/** A logger that remembers. */
export class Log implements Logger {
  readonly events = new Events();
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];

  debug(event: LogEvent, fields: Record<string, unknown> = {}): void {
    this.#add('debug', event.message, fields);
  }

  info(event: LogEvent, fields: Record<string, unknown> = {}): void {
    this.#add('info', event.message, fields);
  }

  warn(event: LogEvent, fields: Record<string, unknown> = {}): void {
    this.#add('warn', event.message, fields);
  }

  error(event: LogEvent, fields: Record<string, unknown> = {}): void {
    this.#add('error', event.message, fields);
  }

  #add(level: string, message: string, fields: Record<string, unknown>): void {
    this.lines.push({ level, message, fields });
    this.events.changed();
  }

  matching(pattern: RegExp): string[] {
    return this.lines
      .map((line) => `${line.message} ${JSON.stringify(line.fields, told)}`)
      .filter((line) => pattern.test(line));
  }

  async until(pattern: RegExp): Promise<void> {
    await this.events.until(
      String(pattern),
      () => this.matching(pattern).length > 0,
      10_000,
      () => JSON.stringify(this.lines),
    );
  }
}
