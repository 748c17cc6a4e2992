import { Command, InvalidArgumentError } from 'commander';
import {
  addNodeOptions,
  NodeDoor,
  type NodeValues,
  terminalColumns,
  warnOfMissing,
} from '../administration/node-door.ts';
import { printable, table } from '../administration/table.ts';
import { CommandError } from '../exit-code.ts';

interface Answer {
  verdict: string;
  summary: string;
  steps: { outcome: string; text: string }[];
  incomplete: { node: string; reason: string }[];
}

interface ExplainValues extends NodeValues {
  last?: boolean;
  from?: string;
  qos: number;
  retain?: boolean;
  bytes: number;
}

const marks: Readonly<Record<string, string>> = { passed: 'ok', failed: 'no', waits: 'wait', chance: '?', note: '' };

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError(`given "${text}", allowed: a number from 0`);
  return Number(text);
}

function oneOfQos(text: string): number {
  if (!/^[012]$/.test(text)) throw new InvalidArgumentError(`given "${text}", allowed: 0, 1, 2`);
  return Number(text);
}

interface Fates {
  fates: { at: string; fate: string; topic: string; qos: number; client: string; publisher: string; node: string }[];
  incomplete: { node: string; reason: string }[];
}

async function printLast(client: string, filter: string | undefined, values: ExplainValues): Promise<void> {
  const named = client === '*' ? undefined : client;
  const { fates, incomplete } = await new NodeDoor(values).get<Fates>('fates', { client: named, filter });
  if (values.json === true) process.stdout.write(fates.map((fate) => `${JSON.stringify(fate)}\n`).join(''));
  else {
    const rows = fates.map(({ at, fate, topic, qos, client: receiver, publisher, node }) => [
      ...[at, fate, topic, String(qos), receiver === '' ? '-' : receiver, publisher === '' ? '-' : publisher, node],
    ]);
    const head = ['AT', 'FATE', 'TOPIC', 'QOS', 'CLIENT', 'PUBLISHER', 'NODE'];
    process.stdout.write(table(head, rows, terminalColumns()));
  }
  warnOfMissing(incomplete);
}

export const explainCommand: Command = addNodeOptions(
  new Command('explain')
    .description('say whether a client would get a message on a topic now, and if not, why; nothing is published')
    .argument('<client>', 'client identifier of the receiver; with --last also of the publisher, and * for all')
    .argument('[topic]', 'topic name; with --last a topic filter')
    .option('--last', 'instead, what became of the last messages of the client')
    .option('--from <publisher>', 'published by this client, whose rights are asked as well')
    .option('--qos <qos>', 'published with this QoS', oneOfQos, 0)
    .option('--retain', 'published with RETAIN')
    .option('--bytes <count>', 'with a payload of this size', wholeNumber, 0),
).action(async (client: string, topic: string | undefined, values: ExplainValues) => {
  if (values.last === true) {
    await printLast(client, topic, values);
    return;
  }
  if (topic === undefined) throw new CommandError('usage', 'no topic is given: dunlin explain CLIENT TOPIC');
  const { from, qos, retain = false, bytes } = values;
  const answer = await new NodeDoor(values).post<Answer>('explain', {
    ...{ client, topic, qos, retain, payloadBytes: bytes },
    ...(from === undefined ? {} : { publisher: from }),
  });
  if (values.json === true) {
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    return;
  }
  const lines = answer.steps.map(({ outcome, text }) => `${(marks[outcome] ?? '').padStart(4)}  ${printable(text)}\n`);
  process.stdout.write(`${printable(answer.summary)}\n\n${lines.join('')}`);
  warnOfMissing(answer.incomplete);
});
