/**
 * Addresses and ranges of addresses (CIDR) as numbers. An IPv4 address is one word of 32 bits, an IPv6 address four; an
 * IPv4 address in the form of IPv6 (`::ffff:192.0.2.1`, as a listener on `::` sees it) counts as the IPv4 address.
 */
export type AddressWords = readonly number[];

export interface AddressRange {
  readonly words: AddressWords;
  /** Length of the prefix. */
  readonly bits: number;
}

const wordBits = 32;
const groupsOfIPv6 = 8;

/** `203.0.113.7:51034` → `203.0.113.7`; `[2001:db8::1]:51034` → `2001:db8::1`. */
export function hostOf(remoteAddress: string): string {
  if (remoteAddress.startsWith('[')) return remoteAddress.slice(1, remoteAddress.indexOf(']'));
  const colon = remoteAddress.indexOf(':');
  // An IPv6 address without a port has more than one.
  return colon < 0 || remoteAddress.indexOf(':', colon + 1) > 0 ? remoteAddress : remoteAddress.slice(0, colon);
}

/** Null: it is no address. */
export function parseAddress(host: string): AddressWords | null {
  if (!host.includes(':')) {
    const word = wordOfIPv4(host);
    return word === null ? null : [word];
  }
  const percent = host.indexOf('%'); // the interface of a link-local address
  const words = wordsOfIPv6(percent < 0 ? host : host.slice(0, percent));
  return words !== null && isMapped(words) ? [words[3]] : words;
}

/** Null: it is neither an address nor a range. */
export function parseRange(text: string): AddressRange | null {
  const [host, length, ...more] = text.split('/');
  const words = parseAddress(host);
  if (words === null || more.length > 0) return null;
  const bitsMax = words.length * wordBits;
  if (length === undefined) return { words, bits: bitsMax };
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return null;
  // `::ffff:192.0.2.0/120` is a range of IPv4.
  const bits = Number(length) - (words.length === 1 && host.includes(':') ? 3 * wordBits : 0);
  return bits < 0 || bits > bitsMax ? null : { words: masked(words, bits), bits };
}

/** The one way to write a range, so that the same one is found again: `192.0.2.9/24` → `192.0.2.0/24`. Null: it is none. */
export function canonicalRange(text: string): string | null {
  const range = parseRange(text);
  if (range === null) return null;
  const { words, bits } = range;
  const address = words.length === 1 ? textOfIPv4(words[0]) : textOfIPv6(words);
  return bits === words.length * wordBits ? address : `${address}/${bits}`;
}

export function masked(words: AddressWords, bits: number): AddressWords {
  return words.map((word, index) => {
    const kept = Math.min(Math.max(bits - index * wordBits, 0), wordBits);
    return kept === 0 ? 0 : (word & (0xffffffff << (wordBits - kept))) >>> 0;
  });
}

/** By its characters: each new connection is looked up, and a regular expression for each part takes 2 µs. */
function wordOfIPv4(text: string): number | null {
  let word = 0;
  let dots = 0;
  let digits = 0;
  let part = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit === -2) {
      if (digits === 0 || dots++ === 3) return null;
      word = word * 256 + part;
      part = 0;
      digits = 0;
    } else {
      if (digit < 0 || digit > 9 || (digits > 0 && part === 0)) return null;
      part = part * 10 + digit;
      digits++;
      if (part > 255) return null;
    }
  }
  return dots === 3 && digits > 0 ? word * 256 + part : null;
}

function wordsOfIPv6(text: string): AddressWords | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const groups = halves.map(groupsOf);
  const [left, right] = groups;
  if (left === null || right === null) return null;
  const missing = groupsOfIPv6 - left.length - (right?.length ?? 0);
  if (right === undefined ? missing !== 0 : missing < 1) return null;
  const all = right === undefined ? left : [...left, ...new Array<number>(missing).fill(0), ...right];
  return [0, 2, 4, 6].map((at) => all[at] * 0x10000 + all[at + 1]);
}

/** Groups of 16 bits; the last two may be written as an IPv4 address. */
function groupsOf(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const word = part.includes('.') && index === parts.length - 1 ? wordOfIPv4(part) : null;
    if (word !== null) groups.push(Math.floor(word / 0x10000), word % 0x10000);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}

function isMapped(words: AddressWords): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
}

function textOfIPv4(word: number): string {
  return [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff).join('.');
}

/** Text as RFC 5952 has it: without the longest run of zero groups, the first of equals; a single one stays. */
function textOfIPv6(words: AddressWords): string {
  const groups = words.flatMap((word) => [(word >>> 16).toString(16), (word & 0xffff).toString(16)]);
  let best = { start: 0, length: 1 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (end < groups.length && groups[end] === '0') end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  if (best.length === 1) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}
