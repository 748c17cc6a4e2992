import type { Limits } from '../ports/limits.ts';

/** Share of the limit that logs are trimmed to, so that publishes are refused only where they come faster than that. */
const trimmedShare = 7 / 8;

/**
 * Room that is left in all logs of the store together (`limits.logsBytesMax`). The store tells every second how much they
 * hold; what this worker appends meanwhile is added. Hot path: `take` is asked for every message that is appended.
 */
export class LogRoom {
  /** Bytes that the logs are trimmed to. */
  readonly trimmedBytesMax: number;
  /** Words for a publisher that is refused. */
  readonly refusal: string;
  private readonly bytesMax: number;
  private bytes = 0;

  constructor({ logsBytesMax }: Pick<Limits, 'logsBytesMax'>) {
    this.bytesMax = logsBytesMax;
    this.trimmedBytesMax = Math.floor(logsBytesMax * trimmedShare);
    this.refusal = `limits.logsBytesMax is reached: ${logsBytesMax}`;
  }

  /** The store has told how much its logs hold. */
  measured(bytes: number): void {
    this.bytes = bytes;
  }

  /** True: the logs hold so much that they are to be trimmed at once. */
  get isScarce(): boolean {
    return this.bytes > this.trimmedBytesMax;
  }

  /** False: there is no room for so many bytes. */
  take(bytes: number): boolean {
    if (this.bytes + bytes > this.bytesMax) return false;
    this.bytes += bytes;
    return true;
  }
}
