import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { type BrokerProcess, startDunlin, WireClient } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Connections: both ends of all of them must fit the usual limit of 20,000 open files a process. */
const connections = 10_000;
/** Opened at once: below what the listener's queue takes. */
const atOnce = 500;
/** The heap grows for some rounds before it is collected in earnest, for longer on a busy machine: then it must stay where it is. */
const roundsMax = 30;
/** Rounds in a row without growth that are enough: memory kept of connections would add to each of them. */
const steadyRounds = 4;
/** Bytes kept in all of those rounds together: fewer than anything kept of a connection would need. */
const keptBytesMax = 200;

let broker: BrokerProcess;

beforeAll(async () => {
  broker = await startDunlin({ store: 'memory', workers: 1, set: { 'limits.connectTimeoutSeconds': 1 } });
});
afterAll(() => broker.stop());

function residentBytes(): number {
  const status = readFileSync(`/proc/${broker.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** Connects, says nothing, and resolves when the broker has closed. `part`: begins a CONNECT that it never ends. */
function silent(part: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(broker.port, '127.0.0.1', () => socket.write(part));
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.resume();
  });
}

async function round(part: Buffer): Promise<void> {
  const closed: Promise<void>[] = [];
  while (closed.length < connections) {
    const opened: Promise<unknown>[] = [];
    for (let i = 0; i < atOnce; i++) closed.push(silent(part));
    // The broker answers somebody else only after it has taken these in.
    opened.push(WireClient.open(broker.url, 4).then((client) => client.drop()));
    await Promise.all(opened);
  }
  await Promise.all(closed);
}

test('10,000 connections that never send CONNECT leave memory where it was', { timeout: 120_000 }, async () => {
  // Half of a CONNECT that announces 1 MB: nothing may be set aside for what was only announced.
  const parts = [Buffer.alloc(0), Buffer.from('10ffff3f00044d515454', 'hex')];
  const peaks = [0];
  const grown = () => (peaks.at(-1) ?? 0) - (peaks.at(-1 - steadyRounds) ?? 0);
  while (peaks.length <= steadyRounds || grown() >= steadyRounds * connections * keptBytesMax) {
    expect(peaks.length, `resident bytes after each round: ${peaks.slice(1)}`).toBeLessThanOrEqual(roundsMax);
    await round(parts[peaks.length % parts.length]);
    peaks.push(Math.max(peaks.at(-1) ?? 0, residentBytes()));
  }
});
