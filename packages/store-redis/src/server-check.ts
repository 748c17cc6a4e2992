/** Check of a server that was connected to, and the messages when it cannot be used. */
import { CodedError } from '@dunlin/broker/ports';
import type { Redis } from 'ioredis';
import { isTlsFailure, tlsReason } from './credentials.ts';
import type { Settings } from './options.ts';
import { missingPermissions } from './permissions.ts';
import { RedisConnectionError } from './redis-connection-error.ts';
import { isForbidden } from './reply-error.ts';

const versionMin = [7, 0];

/** The server answered, but cannot be used as it is. */
export class RefusedError extends CodedError<'server-refused'> {
  constructor(message: string, options?: ErrorOptions) {
    super('server-refused', message, options);
  }
}

/** Value of one line of the answer to `INFO`; empty when there is none. */
export function infoField(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
}

/** Throws `RefusedError` when the server cannot be used; loads our scripts into it. Returns its INFO. */
export async function checkServer(redis: Redis, settings: Settings): Promise<string> {
  const { target, durability, scripts } = settings;
  const info = await redis.info();
  const version = infoField(info, 'valkey_version') || infoField(info, 'redis_version');
  const [major, minor] = version.split('.').map(Number);
  if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1])) {
    throw new RefusedError(`Redis ${version} is too old: the store needs ${versionMin.join('.')} or Valkey`);
  }
  if (infoField(info, 'role') !== 'master') {
    // In a Cluster the map will name another server.
    if (target.kind === 'cluster') throw new RedisConnectionError('redis-not-serving', 'the server is a replica');
    throw new RefusedError('this Redis is a replica: name its master, or use redis+sentinel or redis+cluster');
  }
  if (infoField(info, 'cluster_enabled') === '1') {
    if (target.kind !== 'cluster') throw new RefusedError('this Redis is part of a Cluster: use redis+cluster');
    // A server that has just started knows no others yet, and serves nothing.
    if (!/cluster_state:ok/.test(String(await redis.cluster('INFO'))))
      throw new RedisConnectionError('redis-not-serving', 'the Cluster does not serve yet');
  } else if (target.kind === 'cluster') {
    throw new RefusedError('this Redis is not part of a Cluster: use redis or redis+sentinel');
  }
  if (durability === 'fsync') await checkFsync(redis, version, infoField(info, 'aof_enabled'));
  if (scripts.length === 0) return info;
  await Promise.all(scripts.map((script) => redis.script('LOAD', script.source)));
  const missing = await missingPermissions(redis, settings);
  if (missing !== null)
    throw new RefusedError(`the Redis user "${userOf(settings)}" lacks permissions: it may not ${missing}`);
  return info;
}

async function checkFsync(redis: Redis, version: string, appendOnly: string): Promise<void> {
  try {
    await redis.call('WAITAOF', '0', '0', '1');
  } catch (cause) {
    if (isForbidden(cause as Error)) throw cause;
    throw new RefusedError(
      `durability fsync needs WAITAOF, which Redis ${version} lacks: use Redis 7.2 or Valkey, or "appendfsync always" ` +
        'in Redis with durability memory, which promises the same for a server without replicas',
      { cause },
    );
  }
  if (appendOnly !== '1') {
    throw new RefusedError('durability fsync needs an append-only file: set "appendonly yes" in Redis');
  }
}

/** A log line for a problem that only an operator can solve; null for one that passes. */
export function refusal(error: Error, settings: Settings): string | null {
  if (error instanceof RefusedError) return error.message;
  const user = userOf(settings);
  if (/WRONGPASS|invalid password/i.test(error.message))
    return `Redis refused the password of the user "${user}", or has no such user`;
  if (/NOAUTH/.test(error.message))
    return 'Redis asks for a password and none is configured: store.passwordFile, or one in the URL';
  if (isTlsFailure(error)) return `TLS with Redis does not succeed: ${tlsReason(error)}`;
  if (isForbidden(error)) return `the Redis user "${user}" lacks a permission: ${error.message}`;
  return null;
}

function userOf({ target }: Settings): string {
  return target.user ?? 'default';
}
