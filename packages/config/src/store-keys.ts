import { z } from 'zod';

export const redisUrlForms =
  'redis://user:password@host:port/database, redis+sentinel://host:port,host:port/masterName or ' +
  'redis+cluster://host:port,host:port, each also with rediss for TLS';

/** Form of a Redis URL; the store itself reads what stands in it. */
const redisUrlPattern = /^(rediss?(\+(sentinel|cluster))?:\/\/\S+)?$/;

/** A file that is read at the start, or none. */
export function fileKey(description: string) {
  return z.string().default('').meta({ description, allowed: 'a path', defaultText: 'none', isFile: true });
}

/** Keys under `store`. */
export const storeShape = {
  kind: z.enum(['memory', 'lmdb', 'redis']).default('lmdb').meta({
    description:
      'Where sessions, queued and retained messages live. `lmdb`: embedded in the process, on disk; `memory`: gone with the process; `redis`: in Redis or Valkey, which the nodes of a cluster share. With `store.url` it is `redis` by itself.',
  }),
  path: z.string().min(1).default('./data').meta({
    description: 'Directory of the embedded store; made when it is missing. Only one node may use it.',
    allowed: 'a path',
  }),
  durability: z.enum(['fsync', 'replicated', 'memory']).default('fsync').meta({
    description:
      'When the store counts a write as done. `fsync`: it is on the disk and survives loss of power (with Redis: `WAITAOF`, Redis 7.2 or Valkey); `replicated`: Redis replicas have it (`WAIT`); `memory`: the embedded store survives a crash of the broker, and Redis keeps what it is configured to keep.',
    defaultText: '`fsync`; with Redis `memory`',
  }),
  replicas: z.int().min(0).max(16).default(0).meta({
    description:
      'Redis replicas that must have confirmed a write; 0: as the durability needs, 1 with `replicated` and none with `fsync`.',
  }),
  url: z.string().regex(redisUrlPattern).default('').meta({
    description: 'Where Redis is. All nodes of a cluster name the same.',
    allowed: redisUrlForms,
    defaultText: 'none',
    isSecret: true,
  }),
  passwordFile: fileKey(
    'A file with the password for Redis, instead of one in `store.url`. This file and those below are read again at every connection.',
  ),
  tlsCaFile: fileKey("Authorities that Redis' certificate is checked against, PEM; the system's without it."),
  tlsCertificateFile: fileKey('The certificate that is shown to Redis, PEM.'),
  tlsKeyFile: fileKey('The key of that certificate, PEM.'),
  sentinelUser: z.string().default('').meta({
    description: 'The user for Sentinel itself, when it asks for one.',
    allowed: 'text',
    defaultText: 'none',
  }),
  sentinelPasswordFile: fileKey('A file with the password for Sentinel itself.'),
};
