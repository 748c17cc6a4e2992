// @ts-check

/** A payload may be megabytes of anything. So much of it is read, and shown when it is no number. */
const bytesReadMax = 40;

/** A number with more characters is shown with six digits that count: what is behind them is finer than a thermometer. */
const charactersMax = 8;

/** A number as people and programs write it: 23.0, -4, +1.5e1. Not '', '0x17', '1,5', 'NaN' or 'Infinity', which are mistakes here. */
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Reads a payload: a number, with the text as it was written ('23.0' stays so), or why it is none.
 * @param {Uint8Array} payload
 * @returns {{ value: number, text: string } | { fault: string }}
 */
export function readPayload(payload) {
  if (payload.length === 0) return { fault: 'The last message was empty.' };
  let text;
  try {
    // `stream`: a character that the limit has cut is no error.
    text = new TextDecoder('utf-8', { fatal: true }).decode(payload.subarray(0, bytesReadMax), { stream: true }).trim();
  } catch {
    return { fault: `The last message was no text (${payload.length} bytes).` };
  }
  if (payload.length > bytesReadMax)
    return { fault: `The last message was no number: “${text} …” (${payload.length} bytes).` };
  const value = Number(text);
  if (!decimal.test(text) || !Number.isFinite(value)) return { fault: `The last message was no number: “${text}”.` };
  return { value, text: text.length > charactersMax ? `${Number(value.toPrecision(6))}` : text };
}
