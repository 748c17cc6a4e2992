import { readFileSync } from 'node:fs';

const mebibyte = 1024;
const sampleMilliseconds = 100;

/** Anonymous resident memory of a process in MiB: what it has asked for, without files that are mapped (proc_pid_status, RssAnon). */
export function residentMebibytes(pid: number): number {
  const line = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / mebibyte;
}

/** Looks at the memory of a process ten times a second. */
export class MemoryWatch {
  peak = 0;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.look(), sampleMilliseconds);
  }

  /** The memory now, in MiB; 0 when the process is gone. */
  look(): number {
    try {
      const now = residentMebibytes(this.#pid);
      this.peak = Math.max(this.peak, now);
      return now;
    } catch {
      return 0;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
