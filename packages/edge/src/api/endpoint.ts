import type { AdminScope } from '@dunlin/broker/ports';
import { z } from 'zod';
import type { ApiNode } from './api-node.ts';

/** Words on a part of a schema, beside zod's own `description`. */
declare module 'zod' {
  interface GlobalMeta {
    /** Allowed values in words, for errors. */
    allowed?: string;
  }
}

/** Sender of a request: a key, or the control socket. */
export interface Sender {
  readonly name: string;
  readonly scope: AdminScope;
}

export interface ApiRequest<Query, Body> {
  readonly sender: Sender;
  /** Parts of the path, by the names in braces, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
}

export type Method = 'GET' | 'POST' | 'DELETE';

/** A row of the table that the API answers by, and that its documents are made of. */
export interface Endpoint {
  readonly method: Method;
  /** Path with the names of its parts in braces: `/api/v1/clients/{id}`. */
  readonly path: string;
  readonly scope: AdminScope;
  readonly summary: string;
  readonly query: z.ZodObject;
  /** Null: it has none. */
  readonly body: z.ZodType | null;
  readonly answer: z.ZodType;
  /** Records in the log and the audit log: what was done, with the parts of the request that say to whom. Null: it changes nothing. */
  readonly change: string | null;
  handle(node: ApiNode, request: ApiRequest<unknown, unknown>): Promise<unknown>;
}

interface Row<Query extends z.ZodObject, Body extends z.ZodType>
  extends Omit<Endpoint, 'query' | 'body' | 'change' | 'handle'> {
  query?: Query;
  body?: Body;
  change?: string;
  handle(node: ApiNode, request: ApiRequest<z.output<Query>, z.output<Body>>): Promise<unknown>;
}

const noQuery = z.strictObject({});

export function endpoint<
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodNull,
>(row: Row<Query, Body>): Endpoint {
  return { query: noQuery, body: null, change: null, ...row } as unknown as Endpoint;
}

/** Longest text that a request gives: as long as MQTT allows at most. */
export const textCharactersMax = 65_535;

export const text = (description: string): z.ZodString =>
  z
    .string()
    .max(textCharactersMax)
    .meta({ description, allowed: `a text of at most ${textCharactersMax} characters` });

/** Entries of a page: as many as are asked for, and at most this many. */
export const pageMax = 1000;
export const limit = z
  .string()
  .regex(/^[1-9]\d{0,3}$/)
  .transform(Number)
  .refine((count) => count <= pageMax)
  .default(100)
  .meta({
    description: `Entries of a page, 1 to ${pageMax}; 100 unless given.`,
    allowed: `a number from 1 to ${pageMax}`,
  });

export const cursor = z
  .string()
  .max(textCharactersMax)
  .optional()
  .meta({ description: '`next` of the page before; the first page without it.', allowed: '`next` of the page before' });

export const yes = z.enum(['true', 'false']).transform((word) => word === 'true');

/** Nodes whose part is missing in an answer. */
export const incomplete = z
  .array(z.object({ node: z.string(), reason: z.string() }))
  .meta({ description: 'Nodes whose part is missing, with the reason; empty: the answer is whole.' });
