import { parseArgs } from 'node:util';
import { UsageError } from '@dunlin/testkit';
import type { Attack } from './attack.ts';
import { attacks } from './attacks/index.ts';
import { type BrokerName, brokerNames } from './broker-name.ts';

export const usage = `npm run attack -- [options]

  --rows LIST        names of attacks, with commas (all)
  --short            the rows that CI runs: times have room for a machine with other work, and a row whose times alone
                     are too long is run a second time
  --brokers LIST     dunlin, mosquitto: rows side by side (dunlin)
  --after SECONDS    how long a row waits at most until memory and latency are as before the attack (60; short: 15; Mosquitto: at most 20)
  --document         writes docs/attacks.md, with both brokers unless --brokers says otherwise; with --rows, those rows
                     are measured anew and the others stay
  --list             the names and what each attack does
  --json             one row a line as JSON instead of the table

Attacks one node with two workers, 512 MiB and a store on disk, defaults otherwise, and says what healthy clients beside it had of it.
Exit code 1: a row of Dunlin passed a ceiling.
`;

const flags = {
  rows: { type: 'string' },
  short: { type: 'boolean', default: false },
  brokers: { type: 'string' },
  after: { type: 'string' },
  document: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const afterSecondsMax = 60;
const afterSecondsUsual = { whole: 60, short: 15 };

/** Settings of a run. */
export interface Settings {
  readonly isHelp: boolean;
  readonly isList: boolean;
  readonly isJson: boolean;
  readonly isShort: boolean;
  readonly isDocument: boolean;
  readonly afterSeconds: number;
  readonly brokers: readonly BrokerName[];
  readonly attacks: readonly Attack[];
}

/** The entries of a list with commas; each must be one of these. */
function listed<T extends string>(option: string, text: string, allowed: readonly T[]): T[] {
  return text.split(',').map((name) => {
    const known = allowed.find((candidate) => candidate === name.trim());
    if (known === undefined) throw new UsageError(`--${option} must be of ${allowed.join(', ')}, not '${name.trim()}'`);
    return known;
  });
}

/** @throws UsageError */
export function readSettings(args: string[]): Settings {
  const { values } = parseArgs({ args, options: flags });
  const { short: isShort, document: isDocument } = values;
  const afterSeconds = Number(values.after ?? afterSecondsUsual[isShort ? 'short' : 'whole']);
  if (!(afterSeconds >= 0 && afterSeconds <= afterSecondsMax))
    throw new UsageError(`--after must be from 0 to ${afterSecondsMax} seconds, not '${values.after}'`);
  if (isDocument && (isShort || values.after !== undefined))
    throw new UsageError('--document measures as the document says: not with --short or --after');
  const known = attacks.map(({ name }) => name);
  const names = values.rows === undefined ? null : listed('rows', values.rows, known);
  const brokers = values.brokers ?? (isDocument ? 'dunlin,mosquitto' : 'dunlin');
  return {
    ...{ isHelp: values.help, isList: values.list, isJson: values.json, isShort, isDocument, afterSeconds },
    brokers: listed('brokers', brokers, brokerNames),
    attacks: attacks.filter((attack) => names?.includes(attack.name) ?? (!isShort || attack.isShort === true)),
  };
}
