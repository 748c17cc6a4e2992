import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MosquittoSub, mosquittoPub } from '@dunlin/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  ExampleBroker,
  type ExampleProcess,
  faultsOf,
  openWindow,
  pageMilliseconds,
  startBrowser,
  startExample,
  takePicture,
} from '../browser.ts';

const data = mkdtempSync(join(tmpdir(), 'dunlin-chat-'));
let browser: Browser;
let broker: ExampleBroker;
let example: ExampleProcess;
let windows: Page[] = [];

beforeAll(async () => {
  broker = await ExampleBroker.start(data);
  [browser, example] = await Promise.all([startBrowser(), startExample('chat', broker.webSocketUrl)]);
});

afterAll(async () => {
  await Promise.all([browser?.close(), example?.stop(), broker?.stop()]);
  rmSync(data, { recursive: true });
});

afterEach(async () => {
  expect(windows.flatMap(faultsOf)).toEqual([]);
  await Promise.all(windows.map((page) => page.context().close()));
  windows = [];
});

const poll = { timeout: pageMilliseconds };

const connection = (page: Page) => expect.poll(() => page.locator('body').getAttribute('data-connection'), poll);
const isReady = (page: Page) =>
  expect.poll(() => page.locator('body').getAttribute('data-subscribed'), poll).toBe('yes');

/** Somebody in a browser of their own. */
async function enter(name: string, room: string): Promise<Page> {
  const page = await openWindow(browser);
  windows.push(page);
  await page.goto(example.address);
  await page.fill('#name', name);
  await page.fill('#first-room', room);
  await page.click('#entrance button');
  await isReady(page);
  return page;
}

async function say(page: Page, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
  }
}

/** Ends the page without a goodbye. */
async function close(page: Page): Promise<void> {
  windows = windows.filter((other) => other !== page);
  await page.context().close();
}

const messages = (page: Page) => expect.poll(() => page.locator('#messages .text').allTextContents(), poll);
const people = (page: Page) => expect.poll(() => page.locator('#people .name').allTextContents(), poll);

// First, while there are few rooms: for pictures.
test('fits a telephone, light and dark', async () => {
  const ann = await enter('Ann', 'lobby');
  const bob = await enter('Bob', 'lobby');
  await enter('Chiara', 'garden');
  await ann.setViewportSize({ width: 820, height: 440 });
  await say(ann, 'Good morning! Has anybody looked at the thermometer in the greenhouse today?');
  await messages(bob).toHaveLength(1);
  await say(bob, 'It says 23.0. The gauge page is open on the wall.');
  await messages(ann).toHaveLength(2);
  await say(ann, 'Then I open a window.');
  await messages(ann).toHaveLength(3);
  await people(ann).toEqual(['Ann (you)', 'Bob', 'Chiara']);
  await takePicture(ann, 'chat');
  await ann.emulateMedia({ colorScheme: 'dark' });
  await takePicture(ann, 'chat-dark');
  await say(bob, 'https://example.com/' + 'long/'.repeat(40));
  await messages(ann).toHaveLength(4);
  await ann.setViewportSize({ width: 390, height: 844 });
  expect(await ann.evaluate<number>('document.documentElement.scrollWidth')).toBe(390);
  await takePicture(ann, 'chat-narrow-dark');
  await ann.emulateMedia({ colorScheme: 'light' });
  await takePicture(ann, 'chat-narrow');
  await ann.click('#leave');
  await expect.poll(() => ann.locator('#entrance').isVisible(), poll).toBe(true);
  await takePicture(ann, 'chat-entrance');
});

describe('messages', () => {
  test('two people see what both say, in one order', async () => {
    const ann = await enter('Ann', 'kitchen');
    const bob = await enter('Bob', 'kitchen');
    await say(ann, 'Is the kettle on?');
    await messages(bob).toEqual(['Is the kettle on?']);
    await say(bob, 'It is.', 'Two minutes.');
    await messages(ann).toEqual(['Is the kettle on?', 'It is.', 'Two minutes.']);
    await say(ann, 'one', 'two', 'three', 'four');
    const all = ['Is the kettle on?', 'It is.', 'Two minutes.', 'one', 'two', 'three', 'four'];
    await messages(ann).toEqual(all);
    await messages(bob).toEqual(all);
    expect(await bob.locator('#messages .head b').allTextContents()).toEqual([
      ...['Ann', 'Bob', 'Bob'],
      ...Array<string>(4).fill('Ann'),
    ]);
    expect(await ann.locator('#waiting .text').count()).toBe(0);
  });

  test('what looks like HTML stays text, in messages, names and rooms', async () => {
    const markup = '<img src=x onerror=alert(1)>';
    const ann = await enter('<b onclick=alert()>Ann', '<i>attic/+#$%</i>');
    const bob = await enter('Bob', '<i>attic/+#$%</i>');
    await say(ann, markup);
    await messages(bob).toEqual([markup]);
    await people(bob).toContain('<b onclick=alert()>Ann');
    expect(await bob.locator('#room').textContent()).toBe('<i>attic/+#$%</i>');
    expect(await bob.locator('#chat img, #chat i, #people b').count()).toBe(0);
  });

  test('other programs read and write them', async () => {
    const ann = await enter('Ann', 'hall');
    const sub = await MosquittoSub.start(broker.url, [
      ...['-V', '5', '-t', 'chat/room/hall', '-q', '1', '-F', '%p, QoS %q, %C, %P'],
    ]);
    await say(ann, 'hello');
    expect(await sub.nextLine()).toMatch(
      /^hello, QoS 1, text\/plain; charset=utf-8, from:Ann id:[\w-]{36} sent:20\S+Z/,
    );
    await sub.stop();
    for (const topic of [
      'chat/room/%zz',
      'chat/room/',
      `chat/room/${'x'.repeat(25)}`,
      'chat/who/%zz',
      'chat/room/hall',
    ])
      await mosquittoPub(broker.url, ['-t', topic, '-m', 'from a program']);
    await messages(ann).toEqual(['hello', 'from a program']);
    expect(await ann.locator('#messages .head b').allTextContents()).toEqual(['Ann', 'somebody']);
    expect(await ann.locator('#rooms .name', { hasText: /%zz|xxx/ }).count()).toBe(0);
  });

  test('those of other rooms are counted until one goes there', async () => {
    const ann = await enter('Ann', 'garden');
    const bob = await enter('Bob', 'cellar');
    const cellar = ann.locator('.room', { has: ann.getByText('cellar', { exact: true }) });
    await expect.poll(() => cellar.locator('.count').textContent(), poll).toBe('1');
    await say(bob, 'Nobody here?', 'Hello?');
    await expect.poll(() => cellar.locator('.unread').textContent(), poll).toBe('2');
    await messages(ann).toEqual([]);
    await cellar.locator('button').click();
    await messages(ann).toEqual(['Nobody here?', 'Hello?']);
    expect(await cellar.locator('.unread').count()).toBe(0);
    await expect.poll(() => bob.locator('.person:not(.away) .name').allTextContents(), poll).toContain('Ann');
  });
});

describe('who is here', () => {
  test('a person whose page is gone disappears by the will', async () => {
    const ann = await enter('Ann', 'porch');
    const bob = await enter('Bob', 'porch');
    await people(ann).toEqual(['Ann (you)', 'Bob']);
    await close(bob);
    await people(ann).toEqual(['Ann (you)']);
  });

  test('who leaves disappears at once, and who loads the page again was never away', async () => {
    const sub = await MosquittoSub.start(broker.url, ['-t', 'chat/who/Zoe', '-v']);
    const zoe = await enter('Zoe', 'porch');
    expect(await sub.nextLine()).toBe('chat/who/Zoe porch');
    await zoe.reload();
    await isReady(zoe);
    expect(await sub.nextLine()).toBe('chat/who/Zoe porch');
    await zoe.click('#leave');
    expect(await sub.nextLine()).toBe('chat/who/Zoe (null)');
    await expect.poll(() => zoe.locator('#entrance').isVisible(), poll).toBe(true);
    await sub.stop();
  });

  test('a name is in one window: the other says so and stays out', async () => {
    const first = await enter('Max', 'porch');
    const second = await enter('Max', 'porch');
    await connection(first).toBe('elsewhere');
    expect(await first.locator('#connection').textContent()).toContain('Max has entered from another window');
    await say(second, 'It is me.');
    await messages(second).toEqual(['It is me.']);
    expect(await first.locator('body').getAttribute('data-connection')).toBe('elsewhere');
    await first.click('#leave');
    await isReady(first);
    await connection(second).toBe('elsewhere');
  });
});

describe('history', () => {
  test('what was said while one was away comes when one is back, in any browser', async () => {
    const ann = await enter('Ann', 'library');
    const bob = await enter('Bob', 'library');
    await say(ann, 'Bob?');
    await messages(bob).toEqual(['Bob?']);
    await close(bob);
    await people(ann).not.toContain('Bob');
    await say(ann, 'first', 'second', 'third');
    await messages(ann).toEqual(['Bob?', 'first', 'second', 'third']);
    const back = await enter('Bob', 'library');
    await messages(back).toEqual(['first', 'second', 'third']);
    // Retained, the third comes once more at each connect, and is known.
    await back.reload();
    await isReady(back);
    await say(back, 'Here I am.');
    await messages(back).toEqual(['first', 'second', 'third', 'Here I am.']);
  });

  test('who is new sees the last message of each room, and that it is from before', async () => {
    const ann = await enter('Ann', 'studio');
    await say(ann, 'first', 'last');
    await messages(ann).toEqual(['first', 'last']);
    const eve = await enter('Eve', 'studio');
    await messages(eve).toEqual(['last']);
    await expect.poll(() => eve.locator('.early').textContent(), poll).toBe('before you came');
  });
});

test('what is written while the broker is away is sent when it is back, once', async () => {
  const ann = await enter('Ann', 'harbour');
  const bob = await enter('Bob', 'harbour');
  await say(ann, 'before');
  await messages(bob).toEqual(['before']);
  await broker.kill();
  await connection(ann).toBe('disconnected');
  await connection(bob).toBe('disconnected');
  await say(ann, 'during');
  await expect.poll(() => ann.locator('#waiting .text').allTextContents(), poll).toEqual(['during']);
  await takePicture(ann, 'chat-disconnected');
  await broker.restart();
  await isReady(bob);
  await messages(bob).toEqual(['before', 'during']);
  await say(bob, 'after');
  await messages(ann).toEqual(['before', 'during', 'after']);
  expect(await ann.locator('#waiting .text').count()).toBe(0);
});
