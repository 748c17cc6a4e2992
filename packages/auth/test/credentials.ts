import type { Credentials, LogEvent, Logger } from '@dunlin/broker';

/** Credentials of a client, with everything left out that a test does not speak of. */
export function credentials(given: Partial<Omit<Credentials, 'password'>> & { password?: string | null }): Credentials {
  const { password = null, ...rest } = given;
  return {
    clientId: 'c',
    userName: null,
    remoteAddress: '127.0.0.1:50000',
    listener: 'main',
    version: 5,
    clientCertificate: null,
    ...rest,
    password: password === null ? null : Buffer.from(password),
  };
}

/** Keeps what is said. */
export class Notebook implements Logger {
  readonly lines: string[] = [];

  #write(event: LogEvent, fields?: Record<string, unknown>): void {
    const { message } = event;
    this.lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  }

  debug(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#write(event, fields);
  }

  info(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#write(event, fields);
  }

  warn(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#write(event, fields);
  }

  error(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#write(event, fields);
  }
}

/** A clock that stands still until it is moved. */
export class StillClock {
  milliseconds = 1_700_000_000_000;

  now(): number {
    return this.milliseconds;
  }

  every(): () => void {
    return () => {};
  }

  nextTurn(callback: () => void): void {
    setImmediate(callback);
  }
}
