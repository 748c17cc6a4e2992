import { isUtf8 } from 'node:buffer';
import { z } from 'zod';

/** A payload as a request gives it, in one of three forms. */
export const payloadForms = {
  payload: z.string().optional().meta({ description: 'The payload as text.', allowed: 'a text' }),
  payloadBase64: z.base64().optional().meta({ description: 'The payload as base64.', allowed: 'base64' }),
  json: z.unknown().optional().meta({ description: 'The payload as any JSON value, sent as its text.' }),
};

export interface PayloadForms {
  payload?: string;
  payloadBase64?: string;
  json?: unknown;
}

/** Bytes of a payload; a text: what is wrong. */
export function bytesOf({ payload, payloadBase64, json }: PayloadForms): Buffer | string {
  const given = Object.entries({ payload, payloadBase64, json }).filter(([, value]) => value !== undefined);
  if (given.length > 1)
    return `given ${given.map(([name]) => name).join(' and ')}, allowed: one of payload, payloadBase64 and json`;
  if (payloadBase64 !== undefined) return Buffer.from(payloadBase64, 'base64');
  return Buffer.from(json === undefined ? (payload ?? '') : JSON.stringify(json));
}

/** The beginning of a payload for people: text where it is one, base64 where it is not. `isCut`: there is more of it. */
export function shownPayload(
  base64: string,
  bytes: number,
): { payload: string | null; payloadBase64: string | null; isCut: boolean } {
  const start = Buffer.from(base64, 'base64');
  const isCut = start.length < bytes;
  // A character that was cut does not make it binary.
  const isText = [0, 1, 2, 3].some((cut) => (cut === 0 || isCut) && isUtf8(start.subarray(0, start.length - cut)));
  return isText
    ? {
        payload: new TextDecoder('utf-8', { ignoreBOM: true }).decode(start, { stream: isCut }),
        payloadBase64: null,
        isCut,
      }
    : { payload: null, payloadBase64: base64, isCut };
}
