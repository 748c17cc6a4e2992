import { z } from 'zod';
import { schema } from './schema.ts';

/** A scalar key, or the list of listeners: what a variable or a flag can set. */
export interface Key {
  /** `limits.receiveMaximum` */
  path: string;
  /** `DUNLIN_LIMITS_RECEIVE_MAXIMUM` */
  variable: string;
  type: z.ZodType;
  kind: 'text' | 'number' | 'boolean' | 'list';
  description: string;
  /** Allowed values in words. */
  allowed: string;
  /** Default in words. */
  defaultText: string;
  /** Takes effect at SIGHUP; otherwise only at a start. */
  reloads: boolean;
  /** True for a key that may hold a password: it is not shown whole. */
  isSecret: boolean;
  /** Names a file that must be readable; empty: none. */
  isFile: boolean;
}

interface JsonSchema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
}

export const variablePrefix = 'DUNLIN_';

/** The variable that names the configuration file. */
export const configFileVariable = 'DUNLIN_CONFIG';

/** `limits.receiveMaximum` to `DUNLIN_LIMITS_RECEIVE_MAXIMUM`. */
export function variableName(path: string): string {
  return (
    variablePrefix +
    path
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replaceAll('.', '_')
      .toUpperCase()
  );
}

function allowedText(json: JsonSchema): string {
  const choices = json.enum ?? json.anyOf?.map((option) => option.const);
  if (choices !== undefined) return choices.join(', ');
  if (json.type === 'integer') return `a whole number from ${json.minimum} to ${json.maximum}`;
  if (json.type === 'boolean') return 'true, false';
  return 'text';
}

function kindOf(json: JsonSchema): Key['kind'] {
  if (json.type === 'array') return 'list';
  if (json.type === 'boolean') return 'boolean';
  const numeric = json.type === 'integer' || json.anyOf?.every((option) => typeof option.const === 'number');
  return numeric ? 'number' : 'text';
}

function keyOf(path: string, type: z.ZodType): Key {
  const meta = type.meta() ?? {};
  const json = z.toJSONSchema(type, { unrepresentable: 'any', io: 'input' }) as JsonSchema;
  const fallback = meta.defaultText ?? type.parse(undefined);
  return {
    path,
    variable: variableName(path),
    type,
    kind: kindOf(json),
    description: meta.description ?? '',
    allowed: meta.allowed ?? allowedText(json),
    defaultText: Array.isArray(fallback) ? fallback.join(', ') : String(fallback),
    reloads: meta.reloads === true,
    isSecret: meta.isSecret === true,
    isFile: meta.isFile === true,
  };
}

function collect(shape: Record<string, unknown>, prefix: string, into: Key[]): Key[] {
  for (const [name, type] of Object.entries(shape)) {
    if (type instanceof z.ZodObject) collect(type.shape, `${prefix}${name}.`, into);
    else into.push(keyOf(prefix + name, type as z.ZodType));
  }
  return into;
}

/** Every key of the configuration, in the order of the schema. */
export const keys: readonly Key[] = collect(schema.shape, '', []);

export const keysByPath: ReadonlyMap<string, Key> = new Map(keys.map((key) => [key.path, key]));
export const keysByVariable: ReadonlyMap<string, Key> = new Map(keys.map((key) => [key.variable, key]));
