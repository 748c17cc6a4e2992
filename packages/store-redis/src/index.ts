export type { ReadCredentials, RedisCredentials } from './credentials.ts';
export type { RedisDurability, RedisStoreOptions } from './options.ts';
export { RedisCommands } from './redis-commands.ts';
export { RedisLeases } from './redis-leases.ts';
export { RedisStore } from './redis-store.ts';
export { parseRedisUrl, type RedisTarget, RedisUrlError, withoutPassword } from './redis-url.ts';
