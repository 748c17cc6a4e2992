/** Rules as values: from a rules file, the claim of a token, or the answer of a service. */
import { BlockList, isIP } from 'node:net';
import { Names } from '../names.ts';
import type { Rule } from '../rule.ts';
import { levelsOf, patternFault } from '../topic-pattern.ts';

/** Rules of a claim or an answer: they are kept for each client. */
const rulesMax = 10_000;

const actions = ['publish', 'subscribe', 'all', 'connect'];
const keyNames = ['allow', 'deny', 'user', 'client', 'address', 'anonymous', 'group', 'qos', 'retain', 'topics'];
/** Keys of a rule about connecting, beside `allow` or `deny`. */
const connectKeys = ['user', 'client', 'address', 'anonymous'];

/** Last step of a path that means the key, not its value. */
export const itself = '';

/** Says where a part of the text stands; the path is one of keys and numbers. */
export type Fail = (path: readonly (string | number)[], what: string) => never;

/** Rules as they stand in a file, or in the claim of a token. `fail` is called with what is wrong first; `most`: rules that there may be. */
export function readRules(value: unknown, fail: Fail, most = rulesMax): Rule[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) return fail([], 'rules are a list');
  if (value.length > most) return fail([most], `more than ${most} rules`);
  return value.map((item, index) => readRule(item, (path, what) => fail([index, ...path], what)));
}

function readRule(item: unknown, fail: Fail): Rule {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return fail([], 'a rule is a map of keys');
  const given = item as Record<string, unknown>;
  for (const key of Object.keys(given))
    if (!keyNames.includes(key)) fail([key, itself], `unknown key ${key}; there are ${keyNames.join(', ')}`);
  const allows = 'allow' in given;
  if (allows === 'deny' in given) fail([], 'a rule either allows or denies something');
  const word = allows ? 'allow' : 'deny';
  const action = given[word];
  if (!actions.includes(action as string)) fail([word], `${word}: one of ${actions.join(', ')}`);
  if (action === 'connect') return readConnectRule(given, allows, fail);
  const retain = readBoolean(given, 'retain', fail);
  const groups = readNames(given, 'group', fail);
  if (groups !== null && action === 'publish') fail(['group', itself], 'group is about subscribing alone');
  if (retain !== null && action === 'subscribe') fail(['retain'], 'retain is about publishing alone');
  return {
    allows,
    connect: false,
    publish: action !== 'subscribe' && groups === null,
    subscribe: action !== 'publish' && retain === null,
    topics: readTopics(given.topics, fail),
    user: readNames(given, 'user', fail),
    client: readNames(given, 'client', fail),
    address: readAddresses(given.address, fail),
    groups,
    anonymous: readBoolean(given, 'anonymous', fail) === true,
    qosBits: readQos(given.qos, fail),
    retain,
  };
}

function readConnectRule(given: Record<string, unknown>, allows: boolean, fail: Fail): Rule {
  for (const key of Object.keys(given))
    if (key !== 'allow' && key !== 'deny' && !connectKeys.includes(key))
      fail([key, itself], `${key} says nothing of connect; there are ${connectKeys.join(', ')}`);
  return {
    ...{ allows, connect: true, publish: false, subscribe: false, topics: [], groups: null, qosBits: 7, retain: null },
    user: readNames(given, 'user', fail),
    client: readNames(given, 'client', fail),
    address: readAddresses(given.address, fail),
    anonymous: readBoolean(given, 'anonymous', fail) === true,
  };
}

/** Reads one text, or a list of at least one. */
function readTexts(value: unknown, key: string, fail: Fail): string[] {
  const texts = Array.isArray(value) ? value : [value];
  if (texts.length === 0) return fail([key], `${key}: nothing is named`);
  for (const [index, text] of texts.entries())
    if (typeof text !== 'string' || text === '') fail(Array.isArray(value) ? [key, index] : [key], `${key}: a text`);
  return texts as string[];
}

function readTopics(value: unknown, fail: Fail): Rule['topics'] {
  if (value === undefined) return fail([], 'a rule without topics');
  return readTexts(value, 'topics', fail).map((topic, index) => {
    const fault = patternFault(topic);
    return fault === null ? levelsOf(topic) : fail(Array.isArray(value) ? ['topics', index] : ['topics'], fault);
  });
}

function readNames(given: Record<string, unknown>, key: string, fail: Fail): Names | null {
  return given[key] === undefined ? null : new Names(readTexts(given[key], key, fail));
}

function readAddresses(value: unknown, fail: Fail): BlockList | null {
  if (value === undefined) return null;
  const list = new BlockList();
  for (const text of readTexts(value, 'address', fail)) {
    const [, address, bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const family = isIP(address ?? '');
    const most = family === 4 ? 32 : 128;
    const length = bits === undefined ? most : Number(bits);
    if (family === 0 || length > most) fail(['address'], `"${text}" is not an address or a range such as 10.0.0.0/8`);
    list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

function readQos(value: unknown, fail: Fail): number {
  if (value === undefined) return 7;
  const levels: unknown[] = Array.isArray(value) ? value : [value];
  let bits = 0;
  for (const level of levels) {
    if (level !== 0 && level !== 1 && level !== 2) return fail(['qos'], 'qos: 0, 1, 2, or a list of them');
    bits |= 1 << level;
  }
  return bits === 0 ? fail(['qos'], 'qos: nothing is named') : bits;
}

function readBoolean(given: Record<string, unknown>, key: string, fail: Fail): boolean | null {
  const value = given[key];
  if (value === undefined) return null;
  return typeof value === 'boolean' ? value : fail([key], `${key}: true or false`);
}
