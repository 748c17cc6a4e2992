import { readFileSync } from 'node:fs';
import type { Packet, ProtocolVersion, Will } from '@dunlin/protocol';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CommandError } from '../exit-code.ts';
import { addBrokerOptions, type BrokerValues, readBroker } from './broker-options.ts';
import type { ClientOptions } from './mqtt-client.ts';
import { type GivenProperties, parseProperties } from './property-option.ts';

/** Options that `pub` and `sub` share, as commander gives them. */
export interface ConnectionValues extends BrokerValues {
  id?: string;
  keepalive: number;
  clean: boolean;
  protocolVersion: ProtocolVersion;
  sessionExpiryInterval?: number;
  property?: string[];
  willTopic?: string;
  willPayload?: string;
  willQos: 0 | 1 | 2;
  willRetain?: boolean;
  debug?: boolean;
}

const versions: Record<string, ProtocolVersion> = { 31: 3, 311: 4, 5: 5, mqttv31: 3, mqttv311: 4, mqttv5: 5 };

/** A reader for whole numbers, for commander. */
export function whole(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (number >= lowest && number <= highest) return number;
    throw new InvalidArgumentError(`Allowed: a whole number from ${lowest} to ${highest}.`);
  };
}

export function qosOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(whole(0, 2)).default(0);
}

/** A reader for options that may be given several times. */
export function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

function readVersion(text: string): ProtocolVersion {
  const version = versions[text];
  if (version === undefined) throw new InvalidArgumentError(`Allowed: ${Object.keys(versions).join(', ')}.`);
  return version;
}

/** Adds the options that say how to connect. The letters are those of mosquitto_pub and mosquitto_sub. */
export function addConnectionOptions(command: Command): Command {
  const never = 0xffffffff;
  const expiry = (text: string) => (text === '-1' || text === '∞' ? never : whole(0, never)(text));
  return addBrokerOptions(command.helpOption('--help', 'show this help'))
    .option('-i, --id <id>', 'client identifier')
    .option('-k, --keepalive <seconds>', 'keep alive', whole(0, 65_535), 60)
    .option('-c, --no-clean', 'keep the session after the connection; needs -i')
    .addOption(new Option('-V, --protocol-version <version>', '31, 311 or 5').argParser(readVersion).default(4, '311'))
    .option('-x, --session-expiry-interval <seconds>', 'MQTT 5: how long the session is kept; -1: for ever', expiry)
    .option('-D, --property <words...>', 'MQTT 5 property: PACKET NAME VALUE, or PACKET user-property NAME VALUE')
    .option('--will-topic <topic>', 'topic of the will')
    .option('--will-payload <text>', 'payload of the will')
    .addOption(qosOption('--will-qos <qos>', 'QoS of the will'))
    .option('--will-retain', 'retain the will')
    .option('-d, --debug', 'show packets on standard error');
}

function readWill(values: ConnectionValues, properties: GivenProperties): Will | null {
  if (values.willTopic === undefined) {
    if (values.willPayload !== undefined || values.willRetain)
      throw new CommandError('usage', 'a will needs --will-topic');
    return null;
  }
  const payload = Buffer.from(values.willPayload ?? '');
  return {
    topic: values.willTopic,
    payload,
    qos: values.willQos,
    retain: values.willRetain === true,
    properties: properties.will ?? {},
  };
}

/** Turns options into a connection to make. @throws CommandError `usage` */
export function readConnection(values: ConnectionValues): { options: ClientOptions; properties: GivenProperties } {
  const properties = parseProperties(values.property ?? []);
  const version = values.protocolVersion;
  if (version < 5 && Object.keys(properties).length > 0) throw new CommandError('usage', '-D needs -V 5');
  if (version < 5 && values.sessionExpiryInterval !== undefined) throw new CommandError('usage', '-x needs -V 5');
  if (!values.clean && values.id === undefined)
    throw new CommandError('usage', '-c needs -i: a session is found again by its client identifier');
  const connectProperties = properties.connect ?? {};
  const expiry = values.sessionExpiryInterval ?? (values.clean ? undefined : 0xffffffff);
  if (version === 5 && expiry !== undefined) connectProperties.sessionExpiryInterval ??= expiry;
  const { userName, password, ...broker } = readBroker(values);
  const options: ClientOptions = {
    broker,
    connect: {
      version,
      cleanStart: values.clean,
      keepAliveSeconds: values.keepalive,
      clientId: values.id ?? `dunlin-${process.pid}-${Math.floor(Math.random() * 0xffffff).toString(16)}`,
      will: readWill(values, properties),
      userName,
      password: password === null ? null : Buffer.from(password),
      properties: connectProperties,
    },
    trace: values.debug ? trace : undefined,
  };
  return { options, properties };
}

function trace(direction: 'sent' | 'received', packet: Packet): void {
  const shown = JSON.stringify(packet, (_name, value) =>
    value?.type === 'Buffer' ? `${value.data.length} bytes` : value,
  );
  process.stderr.write(`${direction === 'sent' ? '->' : '<-'} ${shown}\n`);
}

/** The whole of standard input. */
export function readStandardInput(): Buffer {
  return readFileSync(0);
}
