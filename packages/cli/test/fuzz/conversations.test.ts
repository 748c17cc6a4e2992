/**
 * Clients hurt nobody but themselves, whatever they send. Conversations by chance go to nodes of two workers each,
 * while others are connected: those stay, and no error escapes. `CONVERSATIONS=100000 SEED=7` for more of them. Seen to
 * fail with reason strings that quote a client's whole text: the worker ends.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation, SeededRandom } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dunlin, startBroker } from '../command.ts';
import { RandomConversation } from './random-conversation.ts';

const conversations = Number(process.env.CONVERSATIONS ?? 2000);
const seed = Number(process.env.SEED ?? 1);
const atOnce = 16;
const bystandersEach = 6;
/** Time in which a connection is over after the end of its stream, on a busy machine too. */
const closedMilliseconds = 30_000;
/** Lines that the log may not hold. */
const faults = /worker\.died|handle-failed|connection\.aborted|exception\.uncaught|rejection\.unhandled/;

const rules = `
- { allow: publish, topics: "ok/#" }
- { allow: subscribe, topics: "ok/#" }
- { deny: all, topics: "#" }
`;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-fuzz-'));
  writeFileSync(join(directory, 'rules.yaml'), rules);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Says it all, ends its side or resets the connection, and waits until the broker has closed its own. */
function converse(port: number, bytes: Buffer, resets: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const late = setTimeout(() => {
      socket.destroy();
      reject(new TypeError(`not closed after ${bytes.length} bytes: ${bytes.subarray(0, 400).toString('hex')}`));
    }, closedMilliseconds);
    socket.on('data', () => undefined);
    socket.on('error', () => undefined); // a reset is an answer, too
    socket.on('close', () => {
      clearTimeout(late);
      resolve();
    });
    socket.on('end', () => socket.end());
    socket.write(bytes, () => {
      if (resets) socket.resetAndDestroy();
      else socket.end();
    });
  });
}

async function ping(bystander: Conversation): Promise<void> {
  bystander.send({ type: 'pingreq' });
  await bystander.expectPacket({ type: 'pingresp' });
}

async function run(broker: Dunlin, port: number, random: SeededRandom, count: number): Promise<void> {
  const bystanders = await Promise.all(
    Array.from({ length: bystandersEach }, async (_, at) => {
      const wire = await Conversation.open(`mqtt://127.0.0.1:${port}`, 5);
      await wire.connect({ clientId: `bystander-${at}` });
      return wire;
    }),
  );
  for (let done = 0; done < count; done += atOnce) {
    const made = Array.from({ length: Math.min(atOnce, count - done) }, () => new RandomConversation(random).bytes());
    await Promise.all(made.map((bytes, at) => converse(port, bytes, at % 8 === 7)));
    await Promise.all(bystanders.map(ping));
    expect(broker.output).not.toMatch(faults);
  }
  await Promise.all(bystanders.map((wire) => wire.drop()));
}

describe.each([
  ['without rules', []],
  ['with rules', ['--rules-file', 'rules.yaml', '--set', 'authorization.deniedPublish=disconnect']],
  [
    'on disk, with small limits',
    ['--store', 'lmdb', '--set', 'limits.receiveMaximum=2', '--set', 'limits.topicAliasMaximum=2'],
  ],
])('%s', (name, words) => {
  const share = Math.ceil(conversations / 3);
  test(`${share} conversations, from seed ${seed}`, { timeout: 60_000 + share * 100 }, async () => {
    const given = words.map((word) => (word === 'rules.yaml' ? join(directory, word) : word));
    const data = name.startsWith('on disk') ? ['--data', join(directory, 'data')] : [];
    const { broker, port } = await startBroker(['--workers', '2', ...given, ...data]);
    try {
      await run(broker, Number(port), new SeededRandom(seed), share);
    } finally {
      broker.child.kill('SIGTERM');
      expect((await broker.finished).code).toBe(0);
    }
    expect(broker.output).not.toMatch(faults);
  });
});
