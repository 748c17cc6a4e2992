import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { reasonCodeName, validateTopic } from '@dunlin/protocol';
import { Command } from 'commander';
import { readFileOf, readTopics } from '../client/broker-options.ts';
import {
  addConnectionOptions,
  type ConnectionValues,
  qosOption,
  readConnection,
  readStandardInput,
  whole,
} from '../client/connection-options.ts';
import { MqttClient, type PublishRequest } from '../client/mqtt-client.ts';
import { CommandError } from '../exit-code.ts';

interface PubValues extends ConnectionValues {
  topic?: string;
  message?: string;
  file?: string;
  stdinLine?: boolean;
  stdinFile?: boolean;
  nullMessage?: boolean;
  qos: 0 | 1 | 2;
  retain?: boolean;
  repeat: number;
  repeatDelay: number;
}

export const pubCommand: Command = addConnectionOptions(new Command('pub').description('publish messages'))
  .option('-t, --topic <topic>', 'topic to publish to')
  .option('-m, --message <text>', 'the message')
  .option('-f, --file <file>', 'the content of a file as the message')
  .option('-l, --stdin-line', 'each line of standard input as a message')
  .option('-s, --stdin-file', 'all of standard input as one message')
  .option('-n, --null-message', 'an empty message')
  .addOption(qosOption('-q, --qos <qos>', 'QoS'))
  .option('-r, --retain', 'retain the message')
  .option('--repeat <times>', 'publish it so many times', whole(1, 1_000_000_000), 1)
  .option('--repeat-delay <seconds>', 'time between repetitions', Number, 0)
  .action(publish);

/** Reads the payload in the one of five ways that was chosen; exactly one must be. @throws CommandError `usage` */
function readPayload(values: PubValues): Buffer | 'lines' {
  const ways = [
    values.message !== undefined,
    values.file !== undefined,
    values.stdinLine,
    values.stdinFile,
    values.nullMessage,
  ];
  if (ways.filter(Boolean).length !== 1)
    throw new CommandError('usage', 'the message is missing or given twice: use exactly one of -m, -f, -l, -s and -n');
  if (values.stdinLine) return 'lines';
  if (values.message !== undefined) return Buffer.from(values.message);
  if (values.stdinFile) return readStandardInput();
  if (values.file === undefined) return Buffer.alloc(0);
  return readFileOf('-f', values.file);
}

/** @throws CommandError `usage` */
function readTopic(values: PubValues): string {
  const [topic] = readTopics(values.topic === undefined ? [] : [values.topic], values);
  const wrong = validateTopic(topic);
  if (wrong !== null) throw new CommandError('usage', `-t: "${topic}" is not a topic name: ${wrong}`);
  return topic;
}

async function publish(values: PubValues): Promise<void> {
  if (!(values.repeatDelay >= 0))
    throw new CommandError('usage', `--repeat-delay: given ${values.repeatDelay}, allowed: seconds, 0 or more`);
  const { options, properties } = readConnection(values);
  const payload = readPayload(values);
  const topic = readTopic(values);
  const { client } = await MqttClient.connect(options);
  const { qos } = values;
  const request = { topic, qos, retain: values.retain === true, properties: properties.publish ?? {} };
  if (payload === 'lines') await publishLines(client, request);
  else await publishTimes(client, { ...request, payload }, values);
  await client.disconnect(properties.disconnect);
}

async function publishTimes(
  client: MqttClient,
  request: PublishRequest,
  { repeat, repeatDelay }: PubValues,
): Promise<void> {
  for (let time = 0; time < repeat; time++) {
    if (time > 0 && repeatDelay > 0) await delay(repeatDelay * 1000);
    check(await client.publish(request));
  }
}

/** Lines are read no faster than the broker takes them; acknowledgements of several are awaited at once. */
async function publishLines(client: MqttClient, request: Omit<PublishRequest, 'payload'>): Promise<void> {
  const unfinished = new Set<Promise<void>>();
  for await (const line of createInterface({ input: process.stdin })) {
    const one = client.publish({ ...request, payload: Buffer.from(line) }).then(check);
    unfinished.add(one);
    // A failure is thrown where it is awaited below.
    one.then(
      () => unfinished.delete(one),
      () => undefined,
    );
    if (request.qos === 0) await one;
    else if (unfinished.size >= linesAtOnce) await Promise.race(unfinished);
  }
  await Promise.all(unfinished);
}

/** Lines read ahead: more than the client has in flight at once, so that the broker never waits for standard input. */
const linesAtOnce = 200;

function check(reasonCode: number): void {
  if (reasonCode >= 0x80)
    throw new CommandError('refused', `the broker refused the publish: ${reasonCodeName(reasonCode)}`);
}
