import { beforeEach, expect, test } from 'vitest';
import { readFrameType } from '../src/cluster/frames.ts';
import { ClusterQueries } from '../src/cluster/queries.ts';
import { FrameReader } from '../src/message/wire.ts';
import { FakeClock } from './support/fake-clock.ts';

let clock: FakeClock;
/** Frames between two ends, and whether they arrive. */
let isLossy: boolean;
let asked: string[];
let frames: number;
let one: ClusterQueries;
let two: ClusterQueries;
let answer: (body: string) => Promise<string>;
beforeEach(() => {
  clock = new FakeClock();
  isLossy = false;
  asked = [];
  frames = 0;
  answer = async (body) => `answer to ${body}`;
  const end = (from: string, other: () => ClusterQueries): ClusterQueries =>
    new ClusterQueries({
      clock,
      send: (_to, bytes) => {
        frames++;
        if (isLossy) return;
        const reader = new FrameReader(bytes);
        const isQuery = readFrameType(reader) === 13;
        if (isQuery) other().queried(from, reader.f64(), reader.text());
        else other().answered(from, reader.f64(), reader.text());
      },
      answer: (body) => {
        asked.push(body);
        return answer(body);
      },
    });
  one = end('a', () => two);
  two = end('b', () => one);
});

test('a question is answered; one that is lost is repeated, and done once', async () => {
  expect(await one.ask('b', 'first', 2000)).toEqual({ endpoint: 'b', body: 'answer to first' });
  isLossy = true;
  const late = one.ask('b', 'second', 2000);
  await clock.pass(600);
  isLossy = false;
  await clock.pass(600);
  expect(await late).toEqual({ endpoint: 'b', body: 'answer to second' });
  expect(asked).toEqual(['first', 'second']);
});

test('an answer that is lost is sent again, and nothing is done twice', async () => {
  answer = async (body) => {
    isLossy = true;
    return body;
  };
  const kicked = one.ask('b', 'kick', 2000);
  await clock.pass(400);
  isLossy = false;
  await clock.pass(400);
  expect(await kicked).toEqual({ endpoint: 'b', body: 'kick' });
  expect(asked).toEqual(['kick']);
});

test('who does not answer in time, or leaves, has not answered', async () => {
  isLossy = true;
  const silent = one.ask('b', 'x', 2000);
  const leaving = one.ask('b', 'y', 60_000);
  await clock.pass(2100);
  expect(await silent).toEqual({ endpoint: 'b', body: null });
  one.endpointLeft('b');
  expect(await leaving).toEqual({ endpoint: 'b', body: null });
  const before = frames;
  await clock.pass(20_000);
  expect(frames).toBe(before);
});

test('an answer of another endpoint than the one that was asked is none', async () => {
  isLossy = true;
  const asking = one.ask('b', 'x', 1000);
  one.answered('c', 1, 'forged');
  await clock.pass(1200);
  expect(await asking).toEqual({ endpoint: 'b', body: null });
});
