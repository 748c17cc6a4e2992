import { STATUS_CODES } from 'node:http';
import { CodedError } from '@dunlin/broker/ports';
import type { z } from 'zod';

/** A request to the administration API that is refused. */
export class ApiError extends CodedError<'request-refused'> {
  readonly status: number;
  /** Headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, detail: string, headers?: Record<string, string>) {
    super('request-refused', detail);
    this.status = status;
    this.headers = headers ?? {};
  }
}

/** Body of an answer that is an error (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
}

export function problemOf(status: number, detail: string): Problem {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? '', status, detail };
}

/** Longest part of an input that an error repeats. */
const givenCharactersMax = 100;

export function given(value: unknown): string {
  return value === undefined ? 'nothing' : (JSON.stringify(value) ?? 'nothing').slice(0, givenCharactersMax);
}

/** Faults of an input in words: each says where it is, what was given and what is allowed. */
export function faultsOf(error: z.ZodError, input: unknown, allowed: (name: string) => string): string {
  const faults = error.issues.map((issue) => {
    if (issue.code === 'unrecognized_keys') return `given ${issue.keys.map(given).join(', ')}, allowed: ${allowed('')}`;
    const path = issue.path.map(String);
    let value = input;
    for (const step of path) value = (value as Record<string, unknown> | undefined)?.[step];
    const words = path.length === 0 ? allowed('') : allowed(path[0]);
    const place = path.length === 0 ? '' : `${path.join('.')}: `;
    return `${place}given ${given(value)}, allowed: ${words === '' ? issue.message : words}`;
  });
  return faults.join('; ');
}
