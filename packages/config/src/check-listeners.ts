import { CertificateFileError, readAuthorities, readCertificate, readCrl } from './certificate-files.ts';
import type { InnerPath } from './layer.ts';
import {
  defaultHandshakeTimeoutSeconds,
  type Listener,
  type ListenerAddress,
  type ListenerInput,
  type ListenerTls,
  listenerForms,
  parseListenerText,
  parseListenerUrl,
} from './listener.ts';
import {
  type ListenerOptionName,
  type ListenerOptions,
  listenerOptionNames,
  listenerOptions,
  type TlsVersion,
} from './listener-keys.ts';
import { showValue } from './problem.ts';
import { didYouMean } from './suggestion.ts';

/** Fault of a value, and the place inside it. */
export interface Fault {
  inner: InnerPath;
  message: string;
  suggestion: string;
}

export interface CheckedListeners {
  listeners: Listener[];
  faults: Fault[];
}

export const listenerAllowed = `${listenerForms}, or { url, name, allowAnonymous … }`;

/** Listener under check: its place and the faults found. */
interface Place {
  index: number;
  /** `listeners[0]` */
  path: string;
  /** Options are part of the URL: there is no place inside. */
  isShort: boolean;
  faults: Fault[];
}

function refuse(place: Place, inner: InnerPath, message: string, suggestion = ''): void {
  place.faults.push({ inner: place.isShort ? [place.index] : [place.index, ...inner], message, suggestion });
}

/** Checks a list of listeners, short or long forms mixed, whole: every fault of every one. */
export function checkListeners(value: unknown): CheckedListeners {
  const listeners: Listener[] = [];
  const faults: Fault[] = [];
  if (!Array.isArray(value) || value.length === 0) {
    const message = `listeners: given ${showValue(value)}, allowed: a list of ${listenerAllowed}`;
    return { listeners, faults: [{ inner: [], message, suggestion: '' }] };
  }
  for (const [index, item] of value.entries()) {
    const place = { index, path: `listeners[${index}]`, isShort: typeof item === 'string', faults };
    const input = readInput(item, place);
    const listener = input === null ? null : resolve(input, place);
    if (listener !== null) listeners.push(listener);
  }
  findTwins(listeners, faults);
  return { listeners, faults };
}

function readInput(item: unknown, place: Place): ListenerInput | null {
  if (typeof item === 'string') return readShort(item, place);
  if (typeof item === 'object' && item !== null && !Array.isArray(item))
    return readLong(item as Record<string, unknown>, place);
  refuse(place, [], `${place.path}: given ${showValue(item)}, allowed: ${listenerAllowed}`);
  return null;
}

/** `URL?name=NAME&…`: what stands several times is a list. */
function readShort(text: string, place: Place): ListenerInput | null {
  const { url, options } = parseListenerText(text);
  const item: Record<string, unknown> = { url };
  for (const [name, value] of options) {
    const isList = name === 'trustedProxies' || name === 'origins' || name === 'authentication';
    if (isList) item[name] = [...((item[name] as string[] | undefined) ?? []), value];
    else if (value === 'true' || value === 'false') item[name] = value === 'true';
    else item[name] = /^\d+$/.test(value) && name !== 'name' ? Number(value) : value;
  }
  return readLong(item, place);
}

function readLong(item: Record<string, unknown>, place: Place): ListenerInput | null {
  const before = place.faults.length;
  const { path } = place;
  if (typeof item.url !== 'string')
    refuse(place, ['url'], `${path}.url: given ${showValue(item.url ?? null)}, allowed: ${listenerForms}`);
  const input: Record<string, unknown> = { url: item.url };
  for (const [key, value] of Object.entries(item)) {
    if (key === 'url') continue;
    if (!(listenerOptionNames as string[]).includes(key)) {
      refuse(place, [key, ''], `unknown key ${path}.${key}`, didYouMean(key, ['url', ...listenerOptionNames]));
      continue;
    }
    const type = listenerOptions[key as ListenerOptionName];
    const parsed = type.safeParse(value ?? null); // `optional` is for what is not there at all
    if (parsed.success) input[key] = parsed.data;
    else for (const issue of parsed.error.issues) refuseOption(place, key, value, issue.path as (string | number)[]);
  }
  return place.faults.length > before ? null : (input as unknown as ListenerInput);
}

/** The option as a whole is what is allowed; the place is the part of it that is wrong. */
function refuseOption(place: Place, key: string, value: unknown, inside: readonly (string | number)[]): void {
  let given = value;
  for (const step of inside) given = (given as Record<string | number, unknown> | undefined)?.[step];
  const where = inside.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  const { allowed } = listenerOptions[key as ListenerOptionName].meta() as { allowed: string };
  const suggestion = typeof given === 'string' ? didYouMean(given, allowed.split(', ')) : '';
  const message = `${place.path}.${key}${where}: given ${showValue(given ?? null)}, allowed: ${allowed}`;
  refuse(place, [key, ...inside], message, suggestion);
}

/** The form of a listener that was probably meant, for an address alone or for the URL of a client; null: none. */
function nearListener(url: string): string | null {
  const near = /^[\w.:[\]]+$/.test(url)
    ? `tcp://${url}`
    : url.replace(/^mqtt(s?):\/\//, (_, secure: string) => (secure === '' ? 'tcp://' : 'tls://'));
  return near !== url && parseListenerUrl(near) !== null ? near : null;
}

/**
 * Resolves a listener; whether anonymous clients may use it is decided when the whole configuration is known
 * (check-access-policies.ts).
 */
function resolve(input: ListenerInput, place: Place): Listener | null {
  const before = place.faults.length;
  const address = parseListenerUrl(input.url);
  if (address === null) {
    const near = nearListener(input.url);
    const suggestion = near === null ? '' : `did you mean "${near}"?`;
    refuse(place, ['url'], `${place.path}: given ${showValue(input.url)}, allowed: ${listenerForms}`, suggestion);
    return null;
  }
  checkKinds(input, address, place);
  const tls = address.kind === 'tls' || address.kind === 'wss' ? resolveTls(input, place) : null;
  const trustedProxies = resolveProxies(input, address, place);
  if (place.faults.length > before) return null;
  return {
    url: input.url,
    name: input.name ?? input.url,
    address,
    // Filled in by settleAccessPolicies, as the methods are.
    allowAnonymous: input.allowAnonymous as boolean,
    methods: [],
    ...(input.authentication === undefined ? {} : { authentication: input.authentication }),
    connectionsMax: input.connectionsMax ?? null,
    handshakeTimeoutSeconds: input.handshakeTimeoutSeconds ?? defaultHandshakeTimeoutSeconds,
    tls,
    proxy: input.proxy ?? 'off',
    trustedProxies,
    origins: input.origins ?? null,
  };
}

/** An option that this kind of listener does not know would silently do nothing. */
function checkKinds(input: ListenerOptions, address: ListenerAddress, place: Place): void {
  for (const name of listenerOptionNames) {
    const { schemes } = listenerOptions[name].meta() ?? {};
    if (input[name] === undefined || schemes === undefined || schemes.includes(address.kind)) continue;
    refuse(place, [name, ''], `${place.path}.${name}: not for ${address.kind}:, allowed for: ${schemes.join(', ')}`);
  }
}

function resolveTls(input: ListenerInput, place: Place): ListenerTls {
  const { cert, key, clientCa = '', clientCrl = '' } = input;
  const { path } = place;
  const mode = input.clientCertificates ?? (clientCa === '' ? 'off' : 'require');
  const certificates = [...(input.certificates ?? [])];
  if (cert !== undefined && key !== undefined) certificates.unshift({ cert, key });
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    refuse(place, [given], `${path}.${given}: given without ${path}.${missing}, allowed: both`);
  } else if (certificates.length === 0) {
    refuse(place, ['url'], `${path}: given ${showValue(input.url)} without a certificate, allowed: with cert and key`);
  } else if (cert !== undefined && input.certificates !== undefined) {
    refuse(place, ['cert'], `${path}.cert: given beside ${path}.certificates, allowed: one of the two`);
  }
  if (mode !== 'off' && clientCa === '') {
    const message = `${path}.clientCertificates: given "${mode}" without ${path}.clientCa, allowed: off`;
    refuse(place, ['clientCertificates'], message, 'name the authorities of the certificates with clientCa');
  }
  if (mode === 'off' && clientCa !== '')
    refuse(
      place,
      ['clientCertificates'],
      `${path}.clientCertificates: given "off" with ${path}.clientCa, allowed: request, require`,
    );
  if (clientCrl !== '' && clientCa === '')
    refuse(place, ['clientCrl'], `${path}.clientCrl: given without ${path}.clientCa, allowed: both`);
  checkFiles(certificates, { clientCa, clientCrl }, cert !== undefined, place);
  return {
    certificates,
    clientCa,
    clientCrl,
    clientCertificates: mode,
    minimumVersion: String(input.minimumTlsVersion ?? '1.2') as TlsVersion,
    ciphers: input.ciphers ?? '',
    sessionResumption: input.sessionResumption ?? true,
  };
}

/**
 * A broken file is found when the configuration is read, at the start and at a reload alike: before anything has
 * changed.
 */
function checkFiles(
  certificates: ListenerTls['certificates'],
  { clientCa, clientCrl }: { clientCa: string; clientCrl: string },
  isAlone: boolean,
  place: Place,
): void {
  const attempt = (read: () => unknown, at: (part: 'cert' | 'key') => InnerPath): void => {
    try {
      read();
    } catch (error) {
      if (!(error instanceof CertificateFileError)) throw error;
      const inner = at(error.part);
      const name = inner.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
      refuse(place, inner, `${place.path}${name}: ${error.message}`);
    }
  };
  for (const [position, files] of certificates.entries()) {
    const at = (part: 'cert' | 'key'): InnerPath => (isAlone ? [part] : ['certificates', position, part]);
    attempt(() => readCertificate(files), at);
  }
  if (clientCrl !== '')
    attempt(
      () => readCrl(clientCrl),
      () => ['clientCrl'],
    );
  if (clientCa !== '')
    attempt(
      () => readAuthorities(clientCa),
      () => ['clientCa'],
    );
}

/** Null: no header is expected. */
function resolveProxies(input: ListenerInput, address: ListenerAddress, place: Place): string[] | null {
  const { proxy = 'off', trustedProxies } = input;
  const { path } = place;
  if (proxy !== 'off' && trustedProxies === undefined) {
    const message = `${path}.proxy: given "${proxy}" without ${path}.trustedProxies, allowed: off`;
    refuse(place, ['proxy'], message, 'name the addresses of the load balancers with trustedProxies');
  }
  if (proxy === 'x-forwarded-for' && address.kind !== 'ws' && address.kind !== 'wss') {
    const message = `${path}.proxy: given "${proxy}" for ${address.kind}:, allowed: off, required`;
    refuse(place, ['proxy'], message, 'only requests for WebSockets have headers');
  }
  if (proxy === 'off' && trustedProxies !== undefined)
    refuse(place, ['trustedProxies', ''], `${path}.trustedProxies: given without ${path}.proxy: required`);
  return proxy === 'off' ? null : (trustedProxies ?? null);
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
