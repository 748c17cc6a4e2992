/** `bench rules`: what a hundred rules cost per delivery, beside the same broker without any. Starts take turns, and the median of each side counts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@dunlin/testkit';
import { BrokerProcess } from './broker-process.ts';
import { DUNLIN } from './checkout.ts';
import { runGenerator } from './generator.ts';
import { median } from './results.ts';
import { type Row, selectRows } from './rows.ts';

export interface RulesOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
}

export interface RulesFigure {
  readonly row: string;
  readonly without: number;
  readonly with: number;
  readonly ratio: number;
  /** Null: shown for comparison. */
  readonly outcome: 'met' | 'missed' | null;
}

const RULES = 100;
const RATIO_MAX = 1.1;
/** The row with the bound first. */
const ROWS = '20pairs-w100,qos1-20pairs';

/** Rules of every kind that do not match, and in the end one that does: each new topic is compared with all of them. */
function rulesText(): string {
  const others = Array.from({ length: RULES - 1 }, (_, i) =>
    [
      `- {deny: all, topics: secret/${i}/#}`,
      `- {allow: publish, topics: devices/%c/${i}/+, anonymous: true}`,
      `- {allow: subscribe, topics: ['+/status/${i}', rooms/${i}/#], anonymous: true, qos: [0, 1]}`,
      `- {deny: publish, retain: true, topics: load/${i}/x}`,
    ].at(i % 4),
  );
  return [...others, `- {allow: all, topics: load/#, anonymous: true}`, ''].join('\n');
}

async function measure(rows: readonly Row[], withRules: boolean, seconds: number): Promise<number[]> {
  const directory = BrokerProcess.makeDirectory();
  const port = await freePort();
  const command = [process.execPath, DUNLIN, 'start', '--workers', '1', '--store', 'memory'];
  command.push('--listener', `tcp://127.0.0.1:${port}`);
  if (withRules) {
    const file = join(directory, 'rules.yaml');
    writeFileSync(file, rulesText());
    command.push('--rules-file', file);
  }
  const broker = await BrokerProcess.start(command, [port], directory);
  try {
    const figures: number[] = [];
    for (const row of rows) {
      const load = { row, publisherPort: port, subscriberPort: port, pids: broker.pids(), seconds };
      figures.push(Number((await runGenerator(load))[row.figure.field]));
    }
    return figures;
  } finally {
    await broker.stop();
  }
}

export async function measureRules({ rounds, seconds, onProgress }: RulesOptions): Promise<RulesFigure[]> {
  const rows = selectRows(ROWS);
  const samples: [without: number[][], withRules: number[][]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    // The first of a round is not always the same one.
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    for (const side of order) samples[side].push(await measure(rows, side === 1, seconds));
  }
  return rows.map((row, i) => {
    const [without, withRules] = samples.map((side) => median(side.map((figures) => figures[i])));
    const ratio = withRules / without;
    const outcome = i > 0 ? null : ratio <= RATIO_MAX ? 'met' : 'missed';
    const bound = outcome === null ? '' : ` (at most ${RATIO_MAX})`;
    onProgress(
      `${outcome ?? 'shown'}: ${row.title}: ${RULES} rules ${withRules.toFixed(3)} µs a delivery, without ${without.toFixed(3)} µs, ratio ${ratio.toFixed(2)}${bound}`,
    );
    return { row: row.name, without, with: withRules, ratio, outcome };
  });
}
