/** Files that others replace while the node runs: cert-manager renews, Kubernetes swaps the link behind a mounted Secret, and nobody sends SIGHUP. */
import { stat } from 'node:fs/promises';

/** Interval of looking: a change counts when it was the same twice, so it is taken up 2 to 4 s after its last write. */
const lookMilliseconds = 2000;

/** State of a file, through its links; a file that is not there has one too. */
async function stateOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file);
    return [ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

export class FileWatch {
  readonly #files: () => readonly string[];
  readonly #changed: () => void;
  #known: string | null = null;
  /** State that was seen once: the file may still be written. */
  #seen: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;

  /** `changed`: called when the files are others, and have not changed since the look before. */
  constructor(files: () => readonly string[], changed: () => void) {
    this.#files = files;
    this.#changed = changed;
  }

  /** Takes the present state as known. */
  async begin(): Promise<void> {
    await this.taken();
    if (this.#files().length === 0 || this.#timer !== null) return;
    this.#timer = setInterval(() => void this.#look(), lookMilliseconds);
    this.#timer.unref();
  }

  /** The files were read for another reason. */
  async taken(): Promise<void> {
    this.#known = await this.#state();
    this.#seen = null;
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async #state(): Promise<string> {
    return (await Promise.all(this.#files().map(stateOf))).join('\n');
  }

  /** Looks once; never rejects. A file server that hangs holds up this alone. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const known = this.#known;
    const state = await this.#state();
    this.#isLooking = false;
    if (this.#known !== known) return; // taken meanwhile
    if (state === known) this.#seen = null;
    else if (state !== this.#seen) this.#seen = state;
    else {
      this.#known = state;
      this.#seen = null;
      this.#changed();
    }
  }
}
