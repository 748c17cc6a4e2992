import { availableParallelism, hostname } from 'node:os';
import { z } from 'zod';
import {
  authenticationShape,
  authorizationShape,
  deviceTokensShape,
  httpAuthShape,
  jwtShape,
  sessionsShape,
} from './access-keys.ts';
import { auditShape } from './audit-keys.ts';
import { adminShape, backplaneShape, clusterShape, nameForm, namePattern } from './cluster-keys.ts';
import { drainShape } from './drain-keys.ts';
import { limitShape } from './limit-keys.ts';
import { listenerForms, parseListenerText, parseListenerUrl } from './listener.ts';
import { listenerOptions, type Scheme } from './listener-keys.ts';
import { storeShape } from './store-keys.ts';
import { tracingShape } from './tracing-keys.ts';

/** Extra words on a key, beside zod's own `description`. */
declare module 'zod' {
  interface GlobalMeta {
    /** Takes effect at SIGHUP; absent: only at a start. */
    reloads?: boolean;
    /** Allowed values in words, where the type alone does not say it. */
    allowed?: string;
    /** The default in words, where it depends on the machine. */
    defaultText?: string;
    /** True for a key that may hold a password: it is not shown whole. */
    isSecret?: boolean;
    /** Names a file that must be readable. */
    isFile?: boolean;
    /** Kinds of listener that know the option; absent: all. */
    schemes?: readonly Scheme[];
  }
}

/**
 * Workers of one node; more share nothing but memory traffic. Also the bound of the port mesh between them (N * (N - 1)
 * / 2 channels).
 */
export const workersMax = 128;

/** The host name with everything else than letters, digits, dot, dash and underscore replaced. */
export function defaultNodeId(): string {
  return (
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .slice(0, 64) || 'dunlin'
  );
}

/**
 * Several sockets on one port, shared out by the kernel: Linux and the BSDs that Node knows. Elsewhere a node runs one
 * worker.
 */
export function hasReusePort(platform: NodeJS.Platform = process.platform): boolean {
  return platform === 'linux' || platform === 'freebsd' || platform === 'sunos' || platform === 'aix';
}

export function defaultWorkers(): number {
  return hasReusePort() ? Math.min(availableParallelism(), workersMax) : 1;
}

const listener = z.union([
  z.string().refine((text) => parseListenerUrl(parseListenerText(text).url) !== null),
  z.strictObject({
    url: z
      .string()
      .refine((url) => parseListenerUrl(url) !== null)
      .meta({ description: 'Where to listen.', allowed: listenerForms }),
    ...listenerOptions,
  }),
]);

const log = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .meta({ description: 'The least important lines that are written.', reloads: true }),
  format: z
    .enum(['json', 'pretty'])
    .default('json')
    .meta({ description: '`json`: one object a line, for programs; `pretty`: for people at a terminal.' }),
  connections: z.boolean().default(false).meta({
    description:
      'Each connect and each disconnect of a client is a line at level info; without it, at level debug. Refusals are said at level info in any case.',
    reloads: true,
  }),
});

/** The configuration file. Every key has a description; what it lacks has a default. */
export const schema = z.strictObject({
  nodeId: z.string().regex(namePattern).default(defaultNodeId).meta({
    description: 'The name of this node; stays the same over restarts, and no other node of the cluster has it.',
    allowed: nameForm,
    defaultText: 'the host name',
  }),
  listeners: z
    .array(listener)
    .min(1)
    .default(['tcp://127.0.0.1:1883'])
    .meta({
      description:
        'Where clients connect. Each is a URL with options behind it, `tls://0.0.0.0?cert=FILE&key=FILE`, or `{ url, … }` with the options of a listener (docs/configuration.md).',
      allowed: `a list of ${listenerForms}, or { url, name, allowAnonymous … }`,
    }),
  store: z.strictObject(storeShape),
  backplane: z.strictObject(backplaneShape),
  cluster: z.strictObject(clusterShape),
  admin: z.strictObject(adminShape),
  authentication: z.strictObject(authenticationShape),
  jwt: z.strictObject(jwtShape),
  deviceTokens: z.strictObject(deviceTokensShape),
  httpAuth: z.strictObject(httpAuthShape),
  authorization: z.strictObject(authorizationShape),
  sessions: z.strictObject(sessionsShape),
  workers: z.int().min(1).max(workersMax).default(defaultWorkers).meta({
    description:
      'Threads that serve connections. At most 1 where the system cannot share a port between sockets (macOS, Windows).',
    defaultText: 'the number of processor cores, 1 where a port cannot be shared',
  }),
  drain: z.strictObject(drainShape),
  limits: z.strictObject(limitShape),
  log,
  audit: z.strictObject(auditShape),
  tracing: z.strictObject(tracingShape),
});

/** Sections of the file: objects whose own keys are the settings. */
export const sections = [
  'store',
  'backplane',
  'cluster',
  'admin',
  'authentication',
  'jwt',
  'deviceTokens',
  'httpAuth',
  'authorization',
  'sessions',
  'drain',
  'limits',
  'log',
  'audit',
  'tracing',
] as const;
