import { expect, test } from 'vitest';
import { LastDisconnects } from '../src/connection/last-disconnects.ts';

test('the latest disconnect of a client is found; of many, those that are longest ago are forgotten', () => {
  const disconnects = new LastDisconnects();
  const note = (clientId: string, at: number): void =>
    disconnects.note(clientId, at, 'connection-lost', 0, '127.0.0.1:1000');
  expect(disconnects.of('a')).toBeNull();
  note('a', 1);
  note('b', 2);
  note('a', 3);
  expect(disconnects.of('a')?.at).toBe(3);
  expect(disconnects.of('b')?.at).toBe(2);
  for (let i = 0; i < 4998; i++) note(`other-${i}`, 4 + i);
  expect(disconnects.of('b')?.at).toBe(2);
  expect(disconnects.of('a')?.at).toBe(3);
  note('last', 6000);
  expect(disconnects.of('b')).toBeNull();
  expect(disconnects.of('a')?.at).toBe(3);
  expect(disconnects.of('other-0')?.at).toBe(4);
  note('last', 6001);
  expect(disconnects.of('a')).toBeNull();
  expect(disconnects.of('last')?.at).toBe(6001);
});
