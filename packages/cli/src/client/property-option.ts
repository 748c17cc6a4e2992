import { type Properties, type PropertyEntry, type PropertyHolder, propertyTable } from '@dunlin/protocol';
import { CommandError } from '../exit-code.ts';

/** Packets whose properties can be given with -D. */
export type GivenProperties = Partial<Record<PropertyHolder, Properties>>;

const holders: readonly PropertyHolder[] = ['connect', 'publish', 'subscribe', 'unsubscribe', 'disconnect', 'will'];

/** `messageExpiryInterval` is written `message-expiry-interval`; user properties are given one at a time. */
function optionName(entry: PropertyEntry): string {
  if (entry.name === 'userProperties') return 'user-property';
  return entry.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const byName = new Map(propertyTable.map((entry) => [optionName(entry), entry]));

/**
 * Reads the words of all -D options: `publish content-type text/plain connect user-property name value …`. How many words belong together
 * follows from the property.
 * @throws CommandError `usage`
 */
export function parseProperties(words: readonly string[]): GivenProperties {
  const given: GivenProperties = {};
  for (let at = 0; at < words.length; ) {
    const [holder, name] = words.slice(at, at + 2);
    const entry = byName.get(name ?? '');
    if (!(holders as readonly string[]).includes(holder))
      throw usage(`-D: given "${holder}", allowed: ${holders.join(', ')}`);
    if (entry === undefined)
      throw usage(`-D ${holder}: given "${name ?? ''}", allowed: ${namesFor(holder as PropertyHolder).join(', ')}`);
    if (!entry.holders.includes(holder as PropertyHolder))
      throw usage(`-D ${holder}: given "${name}", allowed: ${namesFor(holder as PropertyHolder).join(', ')}`);
    const size = entry.type === 'stringPair' ? 4 : 3;
    const values = words.slice(at + 2, at + size);
    if (values.length < size - 2) throw usage(`-D ${holder} ${name}: a value is missing`);
    given[holder as PropertyHolder] ??= {};
    set(given[holder as PropertyHolder] as Properties, entry, values);
    at += size;
  }
  return given;
}

function namesFor(holder: PropertyHolder): string[] {
  return [...byName].filter(([, entry]) => entry.holders.includes(holder)).map(([name]) => name);
}

function usage(message: string): CommandError {
  return new CommandError('usage', message);
}

const highestByType = {
  byte: 0xff,
  twoByteInteger: 0xffff,
  fourByteInteger: 0xffffffff,
  variableByteInteger: 268_435_455,
};

function set(properties: Properties, entry: PropertyEntry, values: string[]): void {
  const target = properties as Record<string, unknown>;
  switch (entry.type) {
    case 'string':
      target[entry.name] = values[0];
      break;
    case 'binary':
      target[entry.name] = Buffer.from(values[0]);
      break;
    case 'stringPair':
      properties.userProperties = [...(properties.userProperties ?? []), [values[0], values[1]]];
      break;
    default: {
      const number = readNumber(entry, values[0], highestByType[entry.type]);
      target[entry.name] = entry.name === 'subscriptionIdentifier' ? [number] : number;
    }
  }
}

function readNumber(entry: PropertyEntry, text: string, highestOfType: number): number {
  const lowest = entry.lowest ?? 0;
  const highest = entry.highest ?? highestOfType;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= lowest && number <= highest) return number;
  throw usage(`-D ${optionName(entry)}: given "${text}", allowed: a whole number from ${lowest} to ${highest}`);
}
