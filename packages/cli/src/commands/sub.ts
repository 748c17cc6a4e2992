import { once } from 'node:events';
import { type PublishPacket, reasonCodeName, topicMatchesFilter, validateTopicFilter } from '@dunlin/protocol';
import { Command } from 'commander';
import { readTopics } from '../client/broker-options.ts';
import {
  addConnectionOptions,
  type ConnectionValues,
  collect,
  qosOption,
  readConnection,
  whole,
} from '../client/connection-options.ts';
import { formatLetters, parseFormat } from '../client/message-format.ts';
import { MqttClient } from '../client/mqtt-client.ts';
import { CommandError, exitCodes } from '../exit-code.ts';

interface SubValues extends ConnectionValues {
  topic?: string[];
  unsubscribe?: string[];
  filterOut?: string[];
  qos: 0 | 1 | 2;
  count?: number;
  timeout?: number;
  verbose?: boolean;
  format?: string;
  newline: boolean;
  stale: boolean;
  retainedOnly?: boolean;
  local: boolean;
  retainAsPublished?: boolean;
  retainHandling: 0 | 1 | 2;
  exitAfterSubscribe?: boolean;
}

const letters = Object.entries(formatLetters).map(([letter, { meaning }]) => `  %${letter}  ${meaning}`);

export const subCommand: Command = addConnectionOptions(new Command('sub').description('subscribe and print messages'))
  .option('-t, --topic <filter>', 'topic filter; may be given several times', collect)
  .option(
    '-U, --unsubscribe <filter>',
    'unsubscribe from a filter of a kept session; may be given several times',
    collect,
  )
  .option('-T, --filter-out <filter>', 'do not print messages of these topics; may be given several times', collect)
  .addOption(qosOption('-q, --qos <qos>', 'highest QoS to receive'))
  .option('-C, --count <messages>', 'leave after so many messages', whole(1, 1_000_000_000))
  .option('-W, --timeout <seconds>', 'leave after so many seconds', whole(1, 1_000_000))
  .option('-E, --exit-after-subscribe', 'leave when the subscriptions are acknowledged')
  .option('-v, --verbose', 'print the topic before the payload')
  .option('-F, --format <format>', 'how to print a message, see below')
  .option('-N, --no-newline', 'no end of line after a payload')
  .option('-R, --no-stale', 'do not print retained messages')
  .option('--retained-only', 'print retained messages only')
  .option('--no-local', 'MQTT 5: not what this client publishes itself')
  .option('--retain-as-published', 'MQTT 5: keep the retain flag of the publisher')
  .option(
    '--retain-handling <when>',
    'MQTT 5: send retained messages 0: always, 1: for new subscriptions, 2: never',
    whole(0, 2),
    0,
  )
  .addHelpText('after', `\nLetters of --format:\n${letters.join('\n')}`)
  .action(subscribe);

/** Counts, prints, and says when it is enough. */
class Printer {
  readonly enough: Promise<void>;
  readonly #values: SubValues;
  readonly #format: (message: PublishPacket) => Buffer;
  readonly #resolve: () => void;
  #printed = 0;

  constructor(values: SubValues) {
    const line = values.newline ? '\\n' : '';
    this.#values = values;
    this.#format = parseFormat(
      values.format === undefined ? `${values.verbose ? '%t ' : ''}%p${line}` : `${values.format}${line}`,
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    this.enough = promise;
    this.#resolve = resolve;
  }

  print(message: PublishPacket): void {
    const { count, stale, retainedOnly, filterOut } = this.#values;
    if (message.retain ? !stale : retainedOnly) return;
    if (filterOut?.some((filter) => topicMatchesFilter(message.topic, filter))) return;
    if (count !== undefined && this.#printed === count) return;
    this.#printed++;
    process.stdout.write(this.#format(message));
    if (this.#printed === count) this.#resolve();
  }
}

/** @throws CommandError `usage` */
function readFilters(values: SubValues): string[] {
  const filters = readTopics(values.topic ?? [], values);
  for (const filter of filters) {
    const wrong = validateTopicFilter(filter);
    if (wrong !== null) throw new CommandError('usage', `-t: "${filter}" is not a topic filter: ${wrong}`);
  }
  return filters;
}

type Ending = 'enough' | 'timeout' | 'interrupted' | 'closed';

async function subscribe(values: SubValues): Promise<void> {
  const { options, properties } = readConnection(values);
  const filters = readFilters(values);
  const printer = new Printer(values);
  // A reader that leaves (`dunlin sub … | head -1`) is no failure.
  process.stdout.on('error', () => process.exit(exitCodes.done.code));
  const timer = Promise.withResolvers<void>();
  const timeout = values.timeout === undefined ? undefined : setTimeout(timer.resolve, values.timeout * 1000);
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  let isConnected = false;
  void interrupted.then(() => {
    if (!isConnected) process.exit(exitCodes.failed.code);
  });
  const { client } = await MqttClient.connect({ ...options, onMessage: (message) => printer.print(message) });
  isConnected = true;
  const { qos, retainAsPublished, retainHandling } = values;
  const subscriptions = filters.map((filter) => ({
    filter,
    qos,
    noLocal: !values.local,
    retainAsPublished: retainAsPublished === true,
    retainHandling,
  }));
  const granted = await client.subscribe(subscriptions, properties.subscribe ?? {});
  for (const [index, reasonCode] of granted.entries()) {
    if (reasonCode < 0x80) continue;
    throw new CommandError(
      'refused',
      `the broker refused the subscription to ${filters[index]}: ${reasonCodeName(reasonCode)}`,
    );
  }
  if (values.unsubscribe !== undefined) await client.unsubscribe(values.unsubscribe, properties.unsubscribe ?? {});
  const ending = await Promise.race([
    values.exitAfterSubscribe ? ('enough' as Ending) : printer.enough.then((): Ending => 'enough'),
    timer.promise.then((): Ending => 'timeout'),
    interrupted.then((): Ending => 'interrupted'),
    client.closed.then((): Ending => 'closed'),
  ]);
  clearTimeout(timeout);
  if (ending === 'closed') throw (await client.closed) ?? new CommandError('refused', 'the connection ended');
  await client.disconnect(properties.disconnect);
  if (ending === 'timeout') throw new CommandError('timeout', `timed out after ${values.timeout} s`);
}
