/** The command line of the attacks: `npm run attack -- [options]`. */
import { parseArgs } from 'node:util';
import { tellFailure, UsageError } from '@dunlin/testkit';
import { attacks } from './attacks/index.ts';
import { exceeded } from './ceilings.ts';
import { type RowResult, runRow } from './row.ts';
import { table } from './table.ts';
import { type BrokerName, Targets } from './target.ts';

const usage = `npm run attack -- [options]

  --rows LIST        names of attacks, with commas (all)
  --short            the rows that the tests run, with 6 s after each instead of 60
  --brokers LIST     dunlin, mosquitto: rows side by side (dunlin)
  --after SECONDS    how long a row waits after the attack before it looks at the memory that is left (60)
  --list             the names and what each attack does
  --json             one row a line as JSON instead of the table

Attacks one node with two workers and a store on disk, defaults otherwise, and says what healthy clients beside it had of it. Exit code 1:
a row of Dunlin passed a ceiling.
`;

const options = {
  rows: { type: 'string' },
  short: { type: 'boolean', default: false },
  brokers: { type: 'string', default: 'dunlin' },
  after: { type: 'string' },
  list: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const brokerNames: readonly BrokerName[] = ['dunlin', 'mosquitto'];
const afterSecondsMax = 600;

/** The entries of a list with commas; each must be one of these. */
function listed<T extends string>(option: string, text: string, allowed: readonly T[]): T[] {
  return text.split(',').map((name) => {
    const known = allowed.find((candidate) => candidate === name.trim());
    if (known === undefined) throw new UsageError(`--${option} must be of ${allowed.join(', ')}, not '${name.trim()}'`);
    return known;
  });
}

function readOptions() {
  const { values } = parseArgs({ options });
  const after = Number(values.after ?? (values.short ? 6 : 60));
  if (!(after >= 0 && after <= afterSecondsMax))
    throw new UsageError(`--after must be from 0 to ${afterSecondsMax} seconds, not '${values.after}'`);
  const names =
    values.rows === undefined
      ? null
      : listed(
          'rows',
          values.rows,
          attacks.map(({ name }) => name),
        );
  return {
    ...values,
    afterSeconds: after,
    brokers: listed('brokers', values.brokers, brokerNames),
    attacks: attacks.filter(({ name, isShort }) => names?.includes(name) ?? (!values.short || isShort === true)),
  };
}

const print = (line: string) => process.stdout.write(`${line}\n`);

async function run(): Promise<number> {
  const settings = readOptions();
  if (settings.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (settings.list) {
    for (const { name, title } of settings.attacks) print(`${name.padEnd(38)} ${title}`);
    return 0;
  }
  const { afterSeconds } = settings;
  const targets = await Targets.make();
  const rows: RowResult[] = [];
  try {
    for (const attack of settings.attacks) {
      for (const broker of settings.brokers) {
        if (broker !== 'dunlin' && attack.isDunlinAlone) continue;
        process.stderr.write(`${attack.name}, ${broker}\n`);
        const row = await runRow(attack, broker, targets, { beforeSeconds: 4, afterSeconds });
        rows.push(row);
        if (settings.json) print(JSON.stringify(row));
      }
    }
  } finally {
    await targets.remove();
  }
  if (!settings.json) print(table(rows, afterSeconds));
  const failed = rows.filter((row) => row.broker === 'dunlin' && exceeded(row, afterSeconds).length > 0);
  const own = rows.filter((row) => row.broker === 'dunlin').length;
  print(`${own - failed.length} of ${own} rows within their ceilings`);
  return failed.length === 0 ? 0 : 1;
}

run().then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(tellFailure(error, usage)),
);
