/** Text of docs/attacks.md from what was measured. */
import type { Attack } from './attack.ts';
import { groups } from './attacks/index.ts';
import { type BrokerName, brokerNames } from './broker-name.ts';
import {
  type Excess,
  excesses,
  leftFromSeconds,
  leftMax,
  lostQos0Max,
  newcomerMillisecondsMax,
  p99AboveQuietMax,
  peakMebibytesMax,
} from './ceilings.ts';
import type { Measurement, Measurements } from './measurements.ts';
import type { RowResult } from './row-result.ts';

const namesOf: Readonly<Record<BrokerName, string>> = { dunlin: 'Dunlin', mosquitto: 'Mosquitto' };

const head = ['attack', 'broker', 'memory, MiB', 'back after', 'p99, ms', 'newcomers', 'lost'];

function tableOf(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A cell, bold where its figure is above its ceiling. */
function cell(text: string, excess: readonly Excess[], pattern: RegExp): string {
  return excess.some((one) => pattern.test(one.text)) ? `**${text}**` : text;
}

const count = (number: number) => number.toLocaleString('en');
const whole = (number: number) => count(Math.round(number));

function lostText({ lost, ended }: RowResult): string {
  const parts = [
    ...(ended === null ? [] : ['the broker ended']),
    ...(lost.qos0 === 0 ? [] : [`${count(lost.qos0)} of ${count(lost.sentQos0)} of QoS 0`]),
    ...(lost.qos1 === 0 ? [] : [`${count(lost.qos1)} of QoS 1`]),
    ...(lost.disconnected === 0 ? [] : [`${lost.disconnected} connections`]),
  ];
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

function newcomersText({ newcomers }: RowResult): string {
  const { tried, refused, late, refusedFilters, slowest } = newcomers;
  const parts = [
    ...(refused === 0 ? [] : [`${refused} of ${tried} refused`]),
    ...(late === 0 ? [] : [`${late} of ${tried} gave up`]),
    ...(refusedFilters === 0 ? [] : [`${refusedFilters} filters refused`]),
    ...(refused + late === tried ? [] : [`${(slowest / 1000).toFixed(1)} s`]),
  ];
  return parts.join(', ');
}

function rowCells(attack: Attack, row: RowResult): string[] {
  const wrong = excesses(row);
  const { memory, quiet, during, backSeconds } = row;
  return [
    row.broker === 'dunlin' ? attack.title : '',
    namesOf[row.broker],
    cell(`${whole(memory.before)} → ${whole(memory.peak)}`, wrong, /^memory \d/),
    cell(backSeconds === null ? `not in ${row.afterSeconds} s` : `${backSeconds} s`, wrong, /^memory left|^p99 still/),
    cell(`${whole(quiet.p99)} → ${whole(during.p99)}`, wrong, /^p99 \d/),
    cell(newcomersText(row), wrong, /healthy client(s .*(refused|gave up)| waited)|plain subscriptions/),
    cell(lostText(row), wrong, /lost|disconnected|broker ended/),
  ];
}

/** Line about the attackers and the answers that they got. */
function detailsOf(attack: Attack, measured: readonly Measurement[]): string {
  const heard = measured.map(({ row }) => `${namesOf[row.broker]}: ${row.answers === '' ? 'nothing' : row.answers}`);
  const wrong = measured
    .filter(({ row }) => row.broker === 'dunlin')
    .flatMap(({ row }) => excesses(row).map(({ text }) => text));
  const lines = [
    `- **${attack.title}** (\`${attack.name}\`): ${attack.details}.`,
    `Answers to the attackers: ${heard.join('. ')}.`,
    ...(wrong.length === 0 ? [] : [`**Dunlin is above its ceilings: ${wrong.join('; ')}.**`]),
  ];
  return lines.join(' ');
}

const introduction = `
What it costs a broker, and the clients that use it, when others mean it ill. Each row begins with a new broker with its store on disk, password and rights for every client. Beside the attack:

- **8 healthy clients** publish to themselves 20 times a second each, half of them with QoS 0 and half with QoS 1. Their **p99** is the time from when a message was due until it came back, on the quiet broker and during the attack.
- **A newcomer a second** signs in with a password that the broker has not seen before and subscribes. In the column is how long the slowest one waited.
- **Memory** is the anonymous memory of the process, before the attack and at its peak. **Back after**: seconds behind the attack until memory is within ${Math.round(
  (leftMax - 1) * 100,
)} % of what it was, and the p99 of a second as on the quiet broker.
- **Lost** is what healthy clients did not get within 5 seconds after the end, and connections of theirs that ended.

Attackers have a user of their own who may do everything below one topic, or no user at all; they come from another address, in processes of lower priority on the same machine.

Ceilings of Dunlin, with two workers and \`limits.memoryBytesMax: 512 MiB\`, defaults otherwise: at most ${peakMebibytesMax} MiB; back within ${leftFromSeconds.dunlin} s; p99 at most ${p99AboveQuietMax} ms above that of the quiet node; newcomers in within ${
  newcomerMillisecondsMax / 1000
} s, none refused; at most ${lostQos0Max * 100} % of QoS 0 lost and nothing of QoS 1. What is above is **bold**, for both brokers.

Mosquitto is Debian's, with its own defaults: no limit of memory, a queue of 1,000 messages a client, its database written every 30 minutes and at the end. It runs in one thread and checks passwords with a cheaper hash (PBKDF2, 101 rounds; Dunlin: scrypt, 32 MiB), and is watched for ${leftFromSeconds.mosquitto} s after an attack. Where it has no such thing to be attacked, there is no row.
`;

/** The page. */
export function renderDocument(measurements: Measurements): string {
  const measured = (attack: Attack) =>
    brokerNames.map((broker) => measurements.get(attack.name, broker)).filter((one) => one !== null);
  const all = groups.flatMap(({ attacks }) => attacks.flatMap(measured));
  const distinct = (texts: readonly string[]) => [...new Set(texts)].sort();
  const dates = distinct(all.map(({ date }) => date));
  const own = all.filter(({ row }) => row.broker === 'dunlin');
  const kept = own.filter(({ row }) => excesses(row).length === 0);
  const others = all.filter(({ row }) => row.broker !== 'dunlin');
  const othersKept = others.filter(({ row }) => excesses(row).length === 0);
  const busy = all.filter(({ isBusy }) => isBusy).map(({ row }) => `\`${row.attack}\` (${namesOf[row.broker]})`);
  const sections = groups.flatMap(({ title, attacks }) => {
    const rows = attacks.filter((attack) => measured(attack).length > 0);
    if (rows.length === 0) return [];
    const table = tableOf(rows.flatMap((attack) => measured(attack).map(({ row }) => rowCells(attack, row))));
    return [`## ${title}\n\n${table}\n\n${rows.map((attack) => detailsOf(attack, measured(attack))).join('\n')}`];
  });
  return `# Attacks

<!-- Generated by: npm run attack -- --document -->
${introduction}
**Dunlin is within all ceilings in ${kept.length} of ${own.length} rows${
    others.length === 0 ? '' : `, Mosquitto in ${othersKept.length} of ${others.length}`
  }.**

Measured ${dates.length > 1 ? `from ${dates[0]} to ${dates.at(-1)}` : `on ${dates[0]}`}: ${distinct(all.map(({ machine }) => machine)).join('; ')}. ${distinct(all.map(({ version }) => version)).join('; ')}.
${
  busy.length === 0
    ? ''
    : `The machine had other work while these were measured, and their times are longer for it: ${busy.join(', ')}.\n`
}To repeat it: \`npm run attack -- --document\`, half an hour; \`--rows NAME,NAME\` measures some rows anew. \`npm run attack\` alone prints Dunlin's rows, and ends with code 1 when one is above a ceiling; CI runs \`npm run attack -- --short\`.

${sections.join('\n\n')}
`;
}
