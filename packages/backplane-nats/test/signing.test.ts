/** Signed messages: what a stranger in NATS can do, and how a secret is introduced and changed. */
import { type NatsProcess, startNats } from '@dunlin/testkit';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EnvelopeWriter } from '../src/envelope.ts';
import type { NatsBackplaneOptions } from '../src/index.ts';
import { Sequences } from '../src/sequences.ts';
import { parseSecrets, Signing, trailerBytes } from '../src/signing.ts';
import { Subjects } from '../src/subjects.ts';
import { Endpoints, type TestEndpoint, text } from './endpoints.ts';

const subjects = new Subjects('dunlin');
const secret = 'a secret of the cluster, thirty-two characters at least';
const other = 'another secret of the cluster, of which strangers know nothing';

function signed(secrets: readonly string[] = [secret], allowUnsigned = false): Partial<NatsBackplaneOptions> {
  return { signing: { secrets, read: async () => secrets, allowUnsigned } };
}

let nats: NatsProcess;
let endpoints: Endpoints;
let stranger: NatsConnection;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());
beforeEach(async () => {
  endpoints = new Endpoints();
  stranger = await connect({ servers: nats.url });
});
afterEach(async () => {
  await endpoints.close();
  await stranger.close();
});

/** Two endpoints that know each other. */
async function pair(options: Partial<NatsBackplaneOptions>): Promise<[TestEndpoint, TestEndpoint]> {
  const [one, two] = [await endpoints.start(nats.url, options), await endpoints.start(nats.url, options)];
  await meet(one, two, 'hello');
  await meet(two, one, 'hello back');
  return [one, two];
}

async function meet(one: TestEndpoint, two: TestEndpoint, words: string): Promise<void> {
  await one.ear.until('joined', two.backplane.self);
  await two.ear.until('joined', one.backplane.self);
  one.backplane.send(two.backplane.self, text(words));
  await two.ear.untilText(words);
}

/** Everything that is published in NATS, as a stranger hears it. */
async function record(): Promise<{ subject: string; data: Uint8Array }[]> {
  const heard: { subject: string; data: Uint8Array }[] = [];
  stranger.subscribe('dunlin.>', {
    callback: (_error, message) => void heard.push({ subject: message.subject, data: message.data.slice() }),
  });
  await stranger.flush();
  return heard;
}

describe('a stranger in NATS, without the secret', () => {
  test('says bye for others, evicts, sends frames and heartbeats: without a secret each of them takes effect', async () => {
    const [one, two] = await pair({});
    const writer = new EnvelopeWriter(one.backplane.self);
    writer.connection = 1;
    stranger.publish(subjects.all, writer.frame(text('forged')));
    await two.ear.untilText('forged');
    stranger.publish(subjects.bye, new EnvelopeWriter('x/0#1').bye(two.backplane.self));
    await two.ear.until('evicted');
  });

  test('…and with a secret none, whether it signs or not', async () => {
    const [one, two] = await pair(signed());
    const places = [subjects.all, subjects.heartbeat, subjects.bye, subjects.to(two.backplane.self)];
    const thief = new Signing([other]);
    let sent = 0;
    for (const from of [one.backplane.self, 'x/0#1', two.backplane.self])
      for (const flags of [0, 0x80, 0xc0]) {
        const writer = new EnvelopeWriter(from, '', flags);
        writer.connection = 1;
        const messages = [
          writer.frame(text('forged')),
          writer.bye(two.backplane.self),
          writer.bye(one.backplane.self),
          writer.bye(from),
          writer.evicted(),
          writer.heartbeat(1),
        ];
        for (const message of messages)
          for (const subject of places) {
            if (flags !== 0) thief.sign(subject, message);
            stranger.publish(subject, message);
            sent++;
          }
      }
    await stranger.flush();
    await meet(one, two, 'still here');
    await two.log.until(/refused.*"reason":"forged"/);
    const { refused } = two.backplane.counters;
    expect([refused.unsigned, refused.forged]).toEqual([sent / 3, (sent / 3) * 2]);
    for (const { ear } of [one, two]) {
      expect(ear.texts()).not.toContain('forged');
      expect([ear.count('joined'), ear.count('left'), ear.count('evicted')]).toEqual([1, 0, 0]);
    }
    // However many there are.
    expect(two.log.matching(/is refused/)).toHaveLength(2);
  });

  test('repeats what it has heard: nothing of it is heard twice', async () => {
    const heard = await record();
    const [one, two] = await pair(signed());
    one.backplane.broadcast(text('to all'));
    await two.ear.untilText('to all');
    const before = [one, two].map(({ ear }) => ear.heard.length);
    for (const { subject, data } of [...heard]) {
      stranger.publish(subject, data);
      // A message of one subject is none on another.
      stranger.publish(subject === subjects.all ? subjects.to(two.backplane.self) : subjects.all, data);
    }
    await stranger.flush();
    await meet(one, two, 'afterwards');
    expect([one, two].map(({ ear }) => ear.heard.length)).toEqual([before[0], before[1] + 1]);
    expect(two.backplane.counters.refused).toMatchObject({ unsigned: 0 });
    expect(two.backplane.counters.refused.replayed).toBeGreaterThan(0);
    expect(two.backplane.counters.refused.forged).toBeGreaterThan(0);
  });

  test('repeats it to an endpoint that starts later: neither the dead nor old words of the living are heard', async () => {
    const heard = await record();
    const [one, two] = await pair(signed());
    one.backplane.broadcast(text('old'));
    await two.ear.untilText('old');
    await two.backplane.stop();
    await one.ear.until('left', two.backplane.self);
    const recorded = [...heard];
    expect(recorded.length).toBeGreaterThan(10);
    const late = endpoints.make(nats.url, signed());
    // From its first moment on, before it has heard the living ones.
    const repeat = setInterval(() => {
      for (const { subject, data } of recorded) stranger.publish(subject, data);
    }, 5);
    await late.backplane.start(late.ear);
    await meet(one, late, 'new');
    clearInterval(repeat);
    expect(late.ear.texts()).toEqual(['new']);
    expect(late.ear.count('joined')).toBe(1);
    expect(one.ear.count('joined', two.backplane.self)).toBe(1);
    expect(one.ear.count('evicted') + late.ear.count('evicted')).toBe(0);
  });
});

describe('a secret', () => {
  test('is changed while the cluster works, in three steps, and nothing is refused', async () => {
    const files = [[secret], [secret]];
    const options = (index: number): Partial<NatsBackplaneOptions> => ({
      signing: { secrets: [secret], read: async () => files[index], allowUnsigned: false },
    });
    const [one, two] = [await endpoints.start(nats.url, options(0)), await endpoints.start(nats.url, options(1))];
    let step = 0;
    for (const next of [[secret, other], [other, secret], [other]]) {
      step++;
      for (const [index, { log }] of [one, two].entries()) {
        files[index] = next;
        await log.events.until('the change', () => log.matching(/secret of the cluster has changed/).length === step);
        await meet(one, two, `one to two, ${step} ${index}`);
        await meet(two, one, `two to one, ${step} ${index}`);
      }
    }
    for (const { backplane, ear } of [one, two]) {
      expect(Object.values(backplane.counters.refused)).toEqual([0, 0, 0, 0, 0]);
      expect(ear.count('left')).toBe(0);
    }
    // Who has the old one alone is a stranger now.
    stranger.publish(subjects.all, new EnvelopeWriter('x/0#1').heartbeat(0));
    const old = await endpoints.start(nats.url, signed([secret]));
    await one.log.until(/"reason":"forged"/);
    await old.log.until(/"reason":"forged"/);
    expect(old.ear.count('joined')).toBe(0);
  });

  test('is introduced node by node: with allowUnsigned, those with and those without it hear each other', async () => {
    const [without, other] = await pair({});
    const withIt = await endpoints.start(nats.url, signed([secret], true));
    await meet(without, withIt, 'to the signed');
    await meet(withIt, without, 'to the unsigned');
    const second = await endpoints.start(nats.url, signed([secret], true));
    await meet(withIt, second, 'both sign');
    // Nobody can speak for one that signs.
    const writer = new EnvelopeWriter(withIt.backplane.self);
    writer.connection = 1;
    stranger.publish(subjects.all, writer.frame(text('forged')));
    await second.log.until(/"reason":"unsigned"/);
    await meet(second, withIt, 'then');
    expect(second.ear.texts()).not.toContain('forged');
    // The last step: those that need no other are closed for strangers.
    await Promise.all([without.backplane.stop(), other.backplane.stop()]);
    const strict = await endpoints.start(nats.url, signed());
    await meet(withIt, strict, 'last step');
  });

  test('that one side lacks keeps the two apart, and both say so', async () => {
    const strict = await endpoints.start(nats.url, signed());
    const without = await endpoints.start(nats.url);
    await strict.log.until(/is refused.*"reason":"unsigned"/);
    await without.log.until(/is refused.*"reason":"needs-secret"/);
    expect(strict.ear.count('joined') + without.ear.count('joined')).toBe(0);
  });

  test.each([
    ['', /there is no secret/],
    ['\n\n', /there is no secret/],
    ['short', /line 1 has 5 characters; allowed: .*32 to 1024/],
    [`${secret}\nshort`, /line 2 has 5/],
    [`${secret}\n${secret}\n${secret}`, /there are 3 secrets/],
  ])('written as %j is refused', (words, what) => {
    expect(() => parseSecrets(words)).toThrow(what);
    expect(() => parseSecrets(words)).not.toThrow(/thirty-two/);
  });

  test('stands one a line, with or without line breaks at the end', () => {
    expect(parseSecrets(secret)).toEqual([secret]);
    expect(parseSecrets(`${secret}\r\n${other}\n\n`)).toEqual([secret, other]);
  });
});

describe('a signature', () => {
  test('covers every bit, and the subject', () => {
    const body = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(body, fc.nat(), fc.nat(7), (bytes, at, bit) => {
        const message = Buffer.concat([bytes, Buffer.alloc(trailerBytes)]);
        const signing = new Signing([secret]);
        signing.sign('a', message);
        expect(signing.isValid('a', message)).toBe(true);
        expect(signing.isValid('b', message)).toBe(false);
        expect(new Signing([other]).isValid('a', message)).toBe(false);
        expect(new Signing([other, secret]).isValid('a', message)).toBe(true);
        message[at % message.length] ^= 1 << bit;
        expect(signing.isValid('a', message)).toBe(false);
      }),
    );
  });

  test('of a message that is shorter than a trailer is none', () => {
    for (let length = 0; length <= trailerBytes; length++)
      expect(new Signing([secret]).isValid('a', Buffer.alloc(length))).toBe(false);
  });
});

test('subjects may overtake each other; within one, nothing comes twice', () => {
  const sequences = new Sequences(2, 10, 1);
  expect(sequences.take(0, 12, 1)).toBe('new');
  expect(sequences.take(1, 11, 1)).toBe('new');
  expect(sequences.take(0, 12, 1)).toBe('replayed');
  expect(sequences.take(1, 10, 1)).toBe('replayed');
  expect(sequences.take(0, 20, 2)).toBe('new');
  expect(sequences.take(0, 13, 1)).toBe('stale');
});
