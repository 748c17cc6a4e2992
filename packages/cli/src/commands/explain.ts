import { Command, InvalidArgumentError } from 'commander';
import { addNodeOptions, NodeDoor, type NodeValues, warnOfMissing } from '../administration/node-door.ts';
import { printable } from '../administration/table.ts';

interface Answer {
  verdict: string;
  summary: string;
  steps: { outcome: string; text: string }[];
  incomplete: { node: string; reason: string }[];
}

interface ExplainValues extends NodeValues {
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

export const explainCommand: Command = addNodeOptions(
  new Command('explain')
    .description('say whether a client would get a message on a topic now, and if not, why; nothing is published')
    .argument('<client>', 'client identifier of the receiver')
    .argument('<topic>', 'topic name')
    .option('--from <publisher>', 'published by this client, whose rights are asked as well')
    .option('--qos <qos>', 'published with this QoS', oneOfQos, 0)
    .option('--retain', 'published with RETAIN')
    .option('--bytes <count>', 'with a payload of this size', wholeNumber, 0),
).action(async (client: string, topic: string, values: ExplainValues) => {
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
