/**
 * Subjects of a cluster.
 *
 * | subject | published by | read by | message |
 * | --- | --- | --- | --- |
 * | `dunlin.{cluster}.to.{endpoint}` | all | that endpoint | frames for it; answers to its joining; that it was evicted |
 * | `dunlin.{cluster}.all` | all | all | broadcast frames |
 * | `dunlin.{cluster}.heartbeat` | all | all | the sender lives |
 * | `dunlin.{cluster}.bye` | all | all | the sender stops, or another endpoint is dead |
 *
 * Names are escaped: a token of a subject may hold no white space, `.`, `*` or `>`. Letters, digits, `-` and `_` stay;
 * each other byte of the UTF-8 text becomes `=` and two hexadecimal digits: `n1/0#17` is `n1=2F0=2317`.
 */
import type { EndpointId } from '@dunlin/broker';

const plain = /^[A-Za-z0-9_-]$/;
const token = /^(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+$/;

/** A name as one token of a subject. */
export function escapeToken(name: string): string {
  let escaped = '';
  for (const byte of Buffer.from(name)) {
    const letter = String.fromCharCode(byte);
    escaped += plain.test(letter) ? letter : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}

/** The name of a token; null if `escapeToken` does not make this token. */
export function unescapeToken(escaped: string): string | null {
  if (!token.test(escaped)) return null;
  const bytes: number[] = [];
  for (let at = 0; at < escaped.length; at++) {
    if (escaped[at] !== '=') {
      bytes.push(escaped.charCodeAt(at));
      continue;
    }
    bytes.push(Number.parseInt(escaped.slice(at + 1, at + 3), 16));
    at += 2;
  }
  const name = Buffer.from(bytes).toString();
  // Each name has exactly one token: text that is not UTF-8, and letters that needed no escape, are refused.
  return escapeToken(name) === escaped ? name : null;
}

export class Subjects {
  readonly all: string;
  readonly heartbeat: string;
  readonly bye: string;
  readonly #to: string;

  constructor(clusterName: string) {
    const root = `dunlin.${escapeToken(clusterName)}`;
    this.all = `${root}.all`;
    this.heartbeat = `${root}.heartbeat`;
    this.bye = `${root}.bye`;
    this.#to = `${root}.to`;
  }

  to(endpoint: EndpointId): string {
    return `${this.#to}.${escapeToken(endpoint)}`;
  }
}
