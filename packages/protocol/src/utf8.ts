/** Results of `checkUtf8`. */
export const Utf8 = { ascii: 0, multibyte: 1, nul: 2, illFormed: 3 } as const;

/**
 * Checks bytes[start, end) by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF [MQTT-1.5.4-1], no
 * U+0000 [MQTT-1.5.4-2]. U+FEFF is a character like any other and stays [MQTT-1.5.4-3].
 *
 * Returns a value of `Utf8`. A plain loop over bytes: most strings are ASCII and short, where a call into native code
 * would cost more than the walk.
 */
export function checkUtf8(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === 0) return Utf8.nul; // [MQTT-1.5.4-2]
    if (byte > 0x7f) return checkMultibyte(bytes, at, end);
  }
  return Utf8.ascii;
}

/**
 * True when bytes[start, end) is well-formed UTF-8, U+0000 included: the promise of a payload format indicator of 1.
 */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const length = sequenceLength(bytes, at, end);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

function checkMultibyte(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    if (bytes[at] === 0) return Utf8.nul; // [MQTT-1.5.4-2]
    const length = sequenceLength(bytes, at, end);
    if (length === 0) return Utf8.illFormed; // [MQTT-1.5.4-1]
    at += length;
  }
  return Utf8.multibyte;
}

/** The length in bytes of the well-formed sequence at `at`, or 0 if there is none. */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at];
  if (lead < 0x80) return 1;
  // 0x80..0xBF continue nothing, 0xC0 and 0xC1 only start overlong forms, 0xF5 and up lie beyond U+10FFFF.
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (end - at < length) return 0;
  // The second byte's range shuts out overlong forms (E0, F0), surrogates (ED) and what lies beyond U+10FFFF (F4).
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[at + 1];
  if (second < lowest || second > highest) return 0;
  for (let next = at + 2; next < at + length; next++) {
    if ((bytes[next] & 0xc0) !== 0x80) return 0;
  }
  return length;
}
