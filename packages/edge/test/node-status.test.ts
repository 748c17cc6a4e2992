import type { LogEvent } from '@dunlin/broker';
import { expect, test } from 'vitest';
import { NodeStatus } from '../src/node-status.ts';

function made(): { status: NodeStatus; lines: string[] } {
  const lines: string[] = [];
  const add = (event: LogEvent, fields: { reasons?: string } = {}): void => {
    const { message } = event;
    lines.push(fields.reasons === undefined ? message : `${message}: ${fields.reasons}`);
  };
  const status = new NodeStatus({ debug: add, info: add, warn: add, error: add });
  return { status, lines };
}

test('it begins as starting, and says nothing until it has started', () => {
  const { status, lines } = made();
  status.set({ backplane: true, store: true });
  expect(status.isReady).toBe(false);
  expect(status.reasons).toEqual(['starting', 'store', 'backplane']);
  status.set({ backplane: false, store: false });
  status.set({ starting: false });
  expect(status.isReady).toBe(true);
  expect(lines).toEqual([]);
});

test('each change is said once', () => {
  const { status, lines } = made();
  status.set({ starting: false });
  status.set({ store: true });
  status.set({ store: true, backplane: false });
  status.set({ backplane: true });
  status.set({ store: false, backplane: false });
  status.set({ store: false });
  status.set({ draining: true });
  expect(lines).toEqual([
    'the node is not ready: store unavailable',
    'the node is not ready: store unavailable, backplane unavailable',
    'the node is ready again',
    'the node is not ready: draining',
  ]);
});
