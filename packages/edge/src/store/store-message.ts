import type { StoreErrorCode, StoreMethod } from '@dunlin/broker';

/** Calls of one turn of the event loop, in order. */
export interface StoreCalls {
  calls: { id: number; method: StoreMethod; parameters: unknown[] }[];
}

/** Answers that were ready in one turn of the store thread. */
export interface StoreReplies {
  replies: ({ id: number; value: unknown } | { id: number; code: StoreErrorCode; message: string })[];
}

/**
 * Bytes in a message, each in a buffer of their own: posting a view posts the whole buffer it looks into, which may be a chunk of a socket a thousand
 * times its size. The given value is not changed; its shape is rebuilt where it holds such a view.
 */
export function ownBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    if (value.byteLength === value.buffer.byteLength) return value;
    const copy = new Uint8Array(value.byteLength);
    copy.set(value);
    return copy;
  }
  if (Array.isArray(value)) return value.map(ownBytes);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) copy[key] = ownBytes(part);
  return copy;
}
