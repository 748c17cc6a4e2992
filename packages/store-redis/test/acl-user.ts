import { redisCall } from '@dunlin/testkit';
import { aclLine } from '../src/permissions.ts';

const password = 'p-of-dunlin';

/** Makes the user, with the line that docs/security.md has for administrators. */
export async function allowLeast(url: string, kind: 'server' | 'cluster', user = 'dunlin'): Promise<void> {
  const line = aclLine('dunlin', kind, 'memory').replace('SETUSER dunlin', `SETUSER ${user}`);
  await redisCall(url, line.replace('PASSWORD', password).split(' '));
}

/** Changes what it may do. */
export async function allow(url: string, user: string, ...rules: string[]): Promise<void> {
  await redisCall(url, ['ACL', 'SETUSER', user, ...rules]);
}

/** The URL for a node. */
export function asUser(url: string, user = 'dunlin'): string {
  return url.replace('//', `//${user}:${password}@`);
}
