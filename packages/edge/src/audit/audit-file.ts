/**
 * Output of the audit log: one file, or standard output or error. Its disk may be slow or full: one write is under way at a time, on the system's threads, and what
 * waits for it is bounded. What is beyond is dropped, counted, and told in the audit log itself when it goes on.
 */
import { close, closeSync, open, openSync, write } from 'node:fs';
import { codeOf, type Logger } from '@dunlin/broker/ports';
import { events } from '../log-events.ts';

/** Records that wait for the disk, in bytes: some 15,000. */
export const waitingBytesMax = 4 * 1024 * 1024;
/** Pause after a write that failed. */
const retryMilliseconds = 1000;
/** Time that a stop waits for the disk. */
const closeMilliseconds = 500;

const descriptors: Readonly<Record<string, number>> = { stdout: 1, stderr: 2 };
/** The user of the broker alone: names and addresses of clients are nobody else's. */
const mode = 0o600;

export interface AuditFileParts {
  /** A path, or `stdout` or `stderr`. */
  target: string;
  logger: Logger;
  /** Makes the record that says how many were dropped. */
  droppedRecord: (records: number) => string;
}

export class AuditFile {
  readonly #target: string;
  readonly #logger: Logger;
  readonly #droppedRecord: (records: number) => string;
  #descriptor: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes that are written now. */
  #writing: Buffer | null = null;
  #untold = 0;
  #isFailing = false;
  #isReopening = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | null = null;
  #idle: (() => void)[] = [];
  /** Records that were dropped since the start. */
  dropped = 0;

  /** @throws the file system's error */
  constructor({ target, logger, droppedRecord }: AuditFileParts) {
    this.#target = target;
    this.#logger = logger;
    this.#droppedRecord = droppedRecord;
    this.#descriptor = descriptors[target] ?? openSync(target, 'a', mode);
  }

  /** Takes whole lines. Never throws and never waits. */
  add(lines: string): void {
    if (this.#isClosed) return;
    const bytes = Buffer.from(lines);
    if (this.#waitingBytes + bytes.length > waitingBytesMax) {
      const records = lines.split('\n').length - 1;
      this.dropped += records;
      this.#untold += records;
      return;
    }
    this.#keep(bytes);
    this.#write();
  }

  #keep(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #write(): void {
    if (this.#writing !== null || this.#timer !== null || this.#isReopening) return;
    if (this.#waiting.length === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    const bytes = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#writing = bytes;
    write(this.#descriptor, bytes, (error, written) => this.#written(bytes, error, written));
  }

  #written(bytes: Buffer, error: NodeJS.ErrnoException | null, written: number): void {
    this.#writing = null;
    const done = error === null ? written : 0;
    this.#waitingBytes -= done;
    if (done < bytes.length) this.#waiting.unshift(bytes.subarray(done));
    if (error === null && done > 0) this.#succeeded();
    else if (error?.code !== 'EAGAIN') this.#failed(error);
    if (error !== null) {
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#write();
      }, retryMilliseconds);
      this.#timer.unref();
      return;
    }
    this.#write();
  }

  #succeeded(): void {
    if (this.#isFailing) this.#logger.info(events['audit.written-again'], { file: this.#target });
    this.#isFailing = false;
    if (this.#untold === 0 || this.#waitingBytes > waitingBytesMax / 2) return;
    this.#keep(Buffer.from(this.#droppedRecord(this.#untold)));
    this.#untold = 0;
  }

  #failed(error: Error | null): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#logger.error(events['audit.write-failed'], {
      ...{ file: this.#target, error: error?.message ?? 'nothing was written', errorCode: codeOf(error) },
    });
  }

  /** Opens the file anew, for programs that rename it first. Where that fails the old one is written on. */
  reopen(): void {
    if (this.#target in descriptors || this.#isReopening || this.#isClosed) return;
    if (this.#writing !== null) {
      this.#idle.push(() => this.reopen());
      return;
    }
    this.#isReopening = true;
    open(this.#target, 'a', mode, (error, descriptor) => {
      this.#isReopening = false;
      if (error !== null) this.#failed(error);
      else {
        close(this.#descriptor, () => undefined);
        this.#descriptor = descriptor;
      }
      this.#write();
    });
  }

  /** Writes what waits, as far as the disk takes it in a bounded time. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, closeMilliseconds);
    const idle = new Promise<void>((done) => this.#idle.push(done));
    this.#write();
    await Promise.race([idle, late]);
    clearTimeout(timer);
    if (!(this.#target in descriptors) && this.#writing === null) closeSync(this.#descriptor);
  }
}
