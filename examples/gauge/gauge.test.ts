import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, mosquittoPub, startDunlin } from '@dunlin/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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

const data = mkdtempSync(join(tmpdir(), 'dunlin-gauge-'));
let browser: Browser;
let broker: ExampleBroker;
let example: ExampleProcess;
let page: Page;

beforeAll(async () => {
  broker = await ExampleBroker.start(data);
  [browser, example] = await Promise.all([startBrowser(), startExample('gauge', broker.webSocketUrl)]);
});

afterAll(async () => {
  await Promise.all([browser?.close(), example?.stop(), broker?.stop()]);
  rmSync(data, { recursive: true });
});

beforeEach(async () => {
  page = await openWindow(browser, { reducedMotion: 'reduce', viewport: { width: 560, height: 600 } });
});

afterEach(async () => {
  expect(faultsOf(page)).toEqual([]);
  await page.context().close();
});

const poll = { timeout: pageMilliseconds };
const shown = (selector: string) => expect.poll(() => page.locator(selector).textContent(), poll);
const connection = () => expect.poll(() => page.locator('body').getAttribute('data-connection'), poll);

/** Angle of the needle, in degrees from straight up. */
async function needle(): Promise<number> {
  const transform = await page.evaluate<string>("getComputedStyle(document.querySelector('.needle')).transform");
  const [a, b] = (/[-\d.e, ]+/.exec(transform.slice('matrix('.length))?.[0] ?? '').split(',').map(Number);
  return (Math.atan2(b, a) * 180) / Math.PI;
}

const publish = async (...args: string[]): Promise<void> => {
  const { exitCode, stderr } = await mosquittoPub(broker.url, ['-t', 'temp/random', ...args]);
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
};

/** Opens the page and waits until a message would reach it. */
async function open(): Promise<void> {
  await page.goto(example.address);
  await expect.poll(() => page.locator('body').getAttribute('data-subscribed'), poll).toBe('yes');
}

describe('the gauge', () => {
  test('each message of mosquitto_pub moves the needle', async () => {
    await open();
    expect(await page.locator('#value').textContent()).toBe('–');
    await publish('-m', '23.0');
    await shown('#value').toBe('23.0');
    expect(await needle()).toBeCloseTo(27.4, 1);
    await shown('#when').toMatch(/^received at \d/);
    await takePicture(page, 'gauge');
    await publish('-m', '-4.5');
    await shown('#value').toBe('-4.5');
    expect(await needle()).toBeCloseTo(-66.9, 1);
  });

  test('the needle stays on the scale when the value does not', async () => {
    await open();
    await publish('-m', '1000');
    await shown('#value').toBe('1000');
    expect(await needle()).toBeCloseTo(120, 1);
    await publish('-m', '-3.14159265358979');
    await shown('#value').toBe('-3.14159');
  });

  test.each([
    ['abc', 'The last message was no number: “abc”.'],
    ['NaN', 'The last message was no number: “NaN”.'],
    ['0x17', 'The last message was no number: “0x17”.'],
    ['1e999', 'The last message was no number: “1e999”.'],
    ['', 'The last message was empty.'],
    ['9'.repeat(300), `The last message was no number: “${'9'.repeat(40)} …” (300 bytes).`],
    ['<img src=x onerror=alert(1)>', 'The last message was no number: “<img src=x onerror=alert(1)>”.'],
  ])('says that %j is no number, and keeps the last value', async (payload, trouble) => {
    await open();
    await publish('-m', '21');
    await shown('#value').toBe('21');
    await publish('-m', payload);
    await shown('#trouble').toBe(trouble);
    expect(await page.locator('#value').textContent()).toBe('21');
    await publish('-m', '22');
    await shown('#value').toBe('22');
    expect(await page.locator('#trouble').isVisible()).toBe(false);
  });

  test('shows the retained value at once, and that it is one', async () => {
    await publish('-m', '18.5', '-r');
    await page.goto(example.address);
    await shown('#value').toBe('18.5');
    await shown('#when').toMatch(/^kept by the broker since before/);
    await publish('-m', '', '-r');
  });

  test('says that the broker is gone, and comes back with it', async () => {
    await open();
    await publish('-m', '20.5');
    await shown('#value').toBe('20.5');
    await broker.kill();
    await connection().toBe('disconnected');
    await shown('#connection').toContain('Disconnected');
    await shown('#broker').toBe(broker.webSocketUrl);
    expect(await page.locator('#absent').isVisible()).toBe(true);
    await takePicture(page, 'gauge-disconnected');
    await broker.restart();
    await expect.poll(() => page.locator('body').getAttribute('data-subscribed'), poll).toBe('yes');
    expect(await page.locator('#absent').isVisible()).toBe(false);
    await publish('-m', '20.6');
    await shown('#value').toBe('20.6');
  });

  test('fits a telephone, light and dark', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await open();
    await publish('-m', '31.5');
    await shown('#value').toBe('31.5');
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(390);
    await takePicture(page, 'gauge-narrow');
    await page.emulateMedia({ colorScheme: 'dark' });
    await takePicture(page, 'gauge-narrow-dark');
  });
});

describe('a broker that says no', () => {
  const openAt = async (url: string): Promise<void> => {
    const address = new URL(example.address);
    address.searchParams.set('broker', url);
    await page.goto(address.href);
  };

  test('to who is not signed in: the page says what it said', async () => {
    const users = join(data, 'users');
    writeFileSync(users, '');
    const url = `ws://127.0.0.1:${await freePort()}/mqtt`;
    const closed = await startDunlin({ listeners: [url], workers: 1, set: { 'authentication.passwordFile': users } });
    await openAt(url);
    await connection().toBe('refused');
    await shown('#trouble').toBe(`${url} says: Connection refused: Not authorized.`);
    await closed.stop();
  });

  test('to pages from here: the page says that this may be so', async () => {
    const url = `ws://127.0.0.1:${await freePort()}/mqtt`;
    const closed = await startDunlin({ listeners: [`${url}?origins=https://example.com`], workers: 1 });
    await openAt(url);
    await connection().toBe('disconnected');
    await shown('#absent').toContain(`Nothing answers at ${url}, or it does not admit this page.`);
    await closed.stop();
  });

  test('an address that is none of a broker is said in the page', async () => {
    await openAt('mqtt://127.0.0.1:1883');
    await connection().toBe('refused');
    await shown('#trouble').toContain('mqtt://127.0.0.1:1883');
  });
});
