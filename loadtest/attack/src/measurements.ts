import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import type { RowResult } from './row-result.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const file = join(root, 'docs', 'attacks', 'raw.jsonl');

/** Row as it was measured for the document. */
export interface Measurement {
  /** Day, such as 2026-11-30. */
  readonly date: string;
  /** Version of the broker. */
  readonly version: string;
  readonly machine: string;
  /** True: the machine had other work when the run began, so that all times are longer. */
  readonly isBusy: boolean;
  readonly row: RowResult;
}

function machine(): string {
  const all = cpus();
  return `${all[0]?.model.trim() ?? 'unknown'}, ${all.length} cores, ${(totalmem() / 2 ** 30).toFixed(1)} GiB, ${type()} ${release()}`;
}

function versionOf(broker: RowResult['broker']): string {
  if (broker === 'dunlin') {
    const { version } = JSON.parse(readFileSync(join(root, 'packages', 'cli', 'package.json'), 'utf8'));
    return `Dunlin ${version} on Node ${process.version}`;
  }
  const program = process.env.MOSQUITTO ?? '/usr/sbin/mosquitto';
  let text = '';
  try {
    text = execFileSync(program, ['-h'], { encoding: 'utf8' });
  } catch (error) {
    // It prints what it is and ends with a code of its own.
    text = String((error as { stdout?: unknown }).stdout ?? '');
  }
  return `Mosquitto ${/version (\S+)/.exec(text)?.[1] ?? 'unknown'}`;
}

/** One digit behind the point is enough. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toFixed(1)) : value;
}

/** Rows of the document, in a file of JSON lines: each is kept until it is measured anew. */
export class Measurements {
  readonly #all = new Map<string, Measurement>();
  readonly #isBusy = loadavg()[0] > cpus().length;

  /** Reads the file, if there is one. */
  static read(): Measurements {
    const measurements = new Measurements();
    let text = '';
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      return measurements;
    }
    for (const line of text.split('\n').filter((line) => line !== '')) measurements.#put(JSON.parse(line));
    return measurements;
  }

  /** Adds a row that was measured now, or puts it in the place of the one before, and writes the file. */
  add(row: RowResult): void {
    const date = new Date().toISOString().slice(0, 10);
    this.#put({ date, version: versionOf(row.broker), machine: machine(), isBusy: this.#isBusy, row });
    mkdirSync(dirname(file), { recursive: true });
    const ordered = [...this.#all].sort(([a], [b]) => (a < b ? -1 : 1));
    writeFileSync(file, ordered.map(([, measurement]) => `${JSON.stringify(measurement, rounded)}\n`).join(''));
  }

  get(attack: string, broker: RowResult['broker']): Measurement | null {
    return this.#all.get(`${attack} ${broker}`) ?? null;
  }

  #put(measurement: Measurement): void {
    this.#all.set(`${measurement.row.attack} ${measurement.row.broker}`, measurement);
  }
}
