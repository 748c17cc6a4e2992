import { authenticationMethods, isMethodList } from './access-keys.ts';
import type { InnerPath } from './layer.ts';
import { type Listener, type ListenerInput, parseListenerText, parseListenerUrl } from './listener.ts';
import { showValue } from './problem.ts';
import { didYouMean } from './suggestion.ts';

/** What is wrong with a value, and where inside it. */
export interface Fault {
  inner: InnerPath;
  message: string;
  suggestion: string;
}

export interface CheckedListeners {
  listeners: Listener[];
  faults: Fault[];
}

const optionNames = ['url', 'name', 'allowAnonymous', 'authentication'];
const urlForms = 'tcp://HOST[:PORT] or unix:PATH';

/** Checks a list of listeners, short or long forms mixed, whole: every fault of every one. */
export function checkListeners(value: unknown): CheckedListeners {
  const listeners: Listener[] = [];
  const faults: Fault[] = [];
  if (!Array.isArray(value) || value.length === 0) {
    const message = `listeners: given ${showValue(value)}, allowed: a list of ${urlForms}, or of { url, name, allowAnonymous }`;
    return { listeners, faults: [{ inner: [], message, suggestion: '' }] };
  }
  for (const [index, item] of value.entries()) {
    const input = readInput(item, index, faults);
    const listener = input === null ? null : resolve(input, index, typeof item === 'string', faults);
    if (listener !== null) listeners.push(listener);
  }
  findTwins(listeners, faults);
  return { listeners, faults };
}

function readInput(item: unknown, index: number, faults: Fault[]): ListenerInput | null {
  const path = `listeners[${index}]`;
  if (typeof item === 'string') {
    const input = parseListenerText(item);
    if (input === null) {
      const message = `${path}: given ${showValue(item)}, allowed after ?: name=NAME, allowAnonymous=true, allowAnonymous=false`;
      faults.push({ inner: [index], message, suggestion: '' });
    }
    return input;
  }
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    const message = `${path}: given ${showValue(item)}, allowed: ${urlForms}, or { url, name, allowAnonymous }`;
    faults.push({ inner: [index], message, suggestion: '' });
    return null;
  }
  return readOptions(item as Record<string, unknown>, index, faults);
}

function readOptions(item: Record<string, unknown>, index: number, faults: Fault[]): ListenerInput | null {
  const path = `listeners[${index}]`;
  const before = faults.length;
  for (const key of Object.keys(item)) {
    if (optionNames.includes(key)) continue;
    faults.push({
      inner: [index, key, ''],
      message: `unknown key ${path}.${key}`,
      suggestion: didYouMean(key, optionNames),
    });
  }
  const { url, name, allowAnonymous } = item;
  if (typeof url !== 'string') {
    const message = `${path}.url: given ${showValue(url ?? null)}, allowed: ${urlForms}`;
    faults.push({ inner: [index, 'url'], message, suggestion: '' });
  }
  if (name !== undefined && (typeof name !== 'string' || name.length === 0 || name.length > 64)) {
    const message = `${path}.name: given ${showValue(name)}, allowed: 1 to 64 characters`;
    faults.push({ inner: [index, 'name'], message, suggestion: '' });
  }
  if (allowAnonymous !== undefined && typeof allowAnonymous !== 'boolean') {
    const message = `${path}.allowAnonymous: given ${showValue(allowAnonymous)}, allowed: true, false`;
    faults.push({ inner: [index, 'allowAnonymous'], message, suggestion: '' });
  }
  if (item.authentication !== undefined && !isMethodList(item.authentication)) {
    const message = `${path}.authentication: given ${showValue(item.authentication)}, allowed: a list of ${authenticationMethods.join(', ')}`;
    faults.push({ inner: [index, 'authentication'], message, suggestion: '' });
  }
  return faults.length > before ? null : (item as unknown as ListenerInput);
}

/** Whether it is open to strangers is decided when the whole configuration is known (check-doors.ts). */
function resolve(input: ListenerInput, index: number, isShort: boolean, faults: Fault[]): Listener | null {
  const address = parseListenerUrl(input.url);
  const inner = isShort ? [index] : [index, 'url'];
  if (address === null) {
    const scheme =
      /^[a-z]+:/.test(input.url) && !/^(tcp|unix):/.test(input.url) ? '; other doors are not built yet' : '';
    const message = `listeners[${index}]: given ${showValue(input.url)}, allowed: ${urlForms}${scheme}`;
    faults.push({
      inner,
      message,
      suggestion: /^[\w.:[\]]+$/.test(input.url) ? `did you mean "tcp://${input.url}"?` : '',
    });
    return null;
  }
  const { authentication } = input;
  // Filled in by settleDoors, as the methods are.
  const allowAnonymous = input.allowAnonymous as boolean;
  return {
    url: input.url,
    name: input.name ?? input.url,
    address,
    allowAnonymous,
    methods: [],
    ...(authentication === undefined ? {} : { authentication }),
  };
}

/** The same address or name twice. Port 0 is another port each time. */
function findTwins(listeners: Listener[], faults: Fault[]): void {
  const seen = new Set<string>();
  for (const [index, { address, name }] of listeners.entries()) {
    const place = address.kind === 'unix' ? address.path : `${address.host.toLowerCase()}:${address.port}`;
    if (address.kind === 'unix' || address.port !== 0) {
      if (seen.has(place))
        faults.push({ inner: [index], message: `listeners[${index}]: ${place} is taken twice`, suggestion: '' });
      seen.add(place);
      if (seen.has(`name ${name}`)) {
        const message = `listeners[${index}]: two listeners are named ${showValue(name)}`;
        faults.push({ inner: [index], message, suggestion: '' });
      }
      seen.add(`name ${name}`);
    }
  }
}
