/** The page in Chromium, on a cluster of three nodes: what an operator does by it alone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '@dunlin/cluster';
import { Conversation } from '@dunlin/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWindow, screens, startBrowser, takePicture, type Window } from './browser.ts';

const key = 'a-key-for-the-tests-of-the-page';
const devices = 300;
let directory: string;
let cluster: Cluster;
let browser: Browser;
let base: string;
const clients: Conversation[] = [];

async function connect(node: number, clientId: string): Promise<Conversation> {
  const client = await Conversation.open(`mqtt://127.0.0.1:${cluster.nodes[node].mqtt}`);
  clients.push(client);
  await client.connect({ clientId });
  return client;
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-page-'));
  const keyFile = join(directory, 'key');
  writeFileSync(keyFile, key);
  [cluster, browser] = await Promise.all([
    Cluster.start({ nodes: 3, nodeArguments: ['--set', `admin.keyFile=${keyFile}`] }),
    startBrowser(),
  ]);
  base = `http://127.0.0.1:${cluster.nodes[0].admin}`;
  await Promise.all(
    Array.from({ length: devices }, (_, at) => connect(at % 3, `gauge-${String(at).padStart(3, '0')}`)),
  );
}, 60_000);

afterAll(async () => {
  for (const client of clients) void client.drop();
  await browser?.close();
  await cluster?.stop();
  rmSync(directory, { recursive: true });
}, 60_000);

async function signIn(options: Parameters<Browser['newContext']>[0] = {}): Promise<Window> {
  const window = await openWindow(browser, base, options);
  await window.page.goto(base);
  await window.page.getByLabel('Key of the administration API').fill(key);
  await window.page.keyboard.press('Enter');
  await window.page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  return window;
}

/** Checks that nothing went wrong in the page, and that it asked nobody but its node. */
function expectClean({ faults, foreign }: Window): void {
  expect(faults).toEqual([]);
  expect(foreign).toEqual([]);
}

const goTo = (page: Page, view: string) =>
  page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: view, exact: true }).click();

test('files of the page: compressed, kept for ever by their names, under a strict policy', async () => {
  const page = await fetch(base);
  expect(page.headers.get('content-security-policy')).toMatch(
    /default-src 'none'; script-src 'self'; style-src 'self'/,
  );
  expect(page.headers.get('cache-control')).toBe('no-cache');
  const [, script] = /src="(\/assets\/[^"]+\.js)"/.exec(await page.text()) ?? [];
  const asset = await fetch(new URL(script, base), { headers: { 'accept-encoding': 'gzip' } });
  expect(asset.headers.get('content-encoding')).toBe('gzip');
  expect(asset.headers.get('cache-control')).toContain('immutable');
  for (const path of ['/../package.json', '/assets/', '/index.html.br', '/nothing'])
    expect((await fetch(base + path)).status).toBe(404);
});

test('a wrong key is told; the right one is kept by its tab alone, until the operator signs out', async () => {
  const window = await openWindow(browser, base);
  const { page } = window;
  await page.goto(base);
  await page.getByLabel('Key of the administration API').fill('not-a-key-of-this-cluster');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: 'not known' }).waitFor();
  await page.getByLabel('Key of the administration API').fill(key);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  expect(await page.evaluate('JSON.stringify([{ ...localStorage }, document.cookie])')).not.toContain(key);
  const other = await page.context().newPage();
  await other.goto(base);
  await other.getByLabel('Key of the administration API').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Key of the administration API').waitFor();
  expect(await page.evaluate('sessionStorage.length')).toBe(0);
  expectClean(window);
});

test('overview and nodes: the cluster in figures and words', async () => {
  const window = await signIn();
  const { page } = window;
  await page.getByText('All is well.').waitFor();
  await page.getByText('3 of 3').waitFor();
  await page.getByText('300 clients connected').waitFor();
  expect(await page.getByRole('list').getByRole('meter').count()).toBe(3);
  await goTo(page, 'Nodes');
  const table = page.getByRole('region', { name: 'Nodes' });
  for (const { id } of cluster.nodes) await table.getByRole('link', { name: id, exact: true }).waitFor();
  expectClean(window);
});

test('a client is found, looked at, banned; the list holds only rows in sight', async () => {
  const device = await connect(1, 'thermometer');
  await device.subscribe('rooms/+/temperature', 1);
  const window = await signIn();
  const { page } = window;
  await goTo(page, 'Clients');
  const table = page.getByRole('table', { name: 'Connected clients' });
  await table.getByRole('link', { name: 'gauge-000' }).waitFor();
  expect(await table.getByRole('row').count()).toBeLessThan(60);
  await table.focus();
  await page.keyboard.press('End');
  await page.getByText('301', { exact: true }).waitFor();
  await page.keyboard.press('End');
  await table.getByRole('link', { name: 'thermometer' }).waitFor();
  await page.getByLabel('Client identifier').fill('thermo*');
  await page.keyboard.press('Enter');
  await table.getByRole('link', { name: 'thermometer' }).click();
  await page.getByText('rooms/+/temperature').waitFor();
  await page.getByRole('button', { name: 'Ban' }).click();
  const dialog = page.getByRole('dialog', { name: 'Ban' });
  await dialog.getByLabel('Reason').fill('too loud');
  await dialog.getByRole('button', { name: 'Ban' }).click();
  await device.closed;
  await page.getByText('It is banned.').waitFor();
  expectClean(window);
});

test('topics: values come live, and what has changed is said; a message is published', async () => {
  const window = await signIn();
  const { page } = window;
  await goTo(page, 'Topics');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.getByText('MQTT: connected').waitFor();
  const publish = page.getByRole('form', { name: 'Publish' });
  await publish.getByLabel('Topic').fill('kitchen');
  for (const temperature of [21, 22]) {
    await publish.getByLabel('Payload').fill(`{"temperature":${temperature},"unit":"C"}`);
    await publish.getByRole('button').click();
    await page.getByText(`"temperature":${temperature}`).waitFor();
  }
  await page.getByText('temperature: 21 → 22').waitFor();
  expect(window.faults).toEqual([]);
});

test('retained messages are counted before they are removed', async () => {
  const publisher = await connect(2, 'publisher');
  for (const room of ['hall', 'attic'])
    await publisher.publish({ topic: `lights/${room}`, payload: 'on', qos: 1, retain: true });
  const window = await signIn();
  const { page } = window;
  await goTo(page, 'Retained');
  await page.getByLabel('Topic filter').fill('lights/#');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'lights/attic' }).waitFor();
  await page.getByRole('button', { name: 'Count what a removal would remove' }).click();
  await page.getByText('2 messages: lights/').waitFor();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText('No retained message fits.').waitFor();
  expectClean(window);
});

test('a device gets nothing: explain says why, and the ban is lifted', async () => {
  const window = await signIn();
  const { page } = window;
  await goTo(page, 'Explain');
  await page.getByLabel('Client that should get it').fill('gauge-001');
  await page.getByLabel('Topic').fill('rooms/hall');
  await page.keyboard.press('Enter');
  await page.getByText('failed').first().waitFor();
  await goTo(page, 'Bans');
  await page.getByRole('button', { name: 'Lift' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Lift' }).click();
  await page.getByText('Nobody is banned.').waitFor();
  expectClean(window);
});

test.each(['light', 'dark'] as const)(
  'pictures in %s colours, narrow and wide: nothing runs over the edge',
  async (colorScheme) => {
    for (const [name, viewport] of Object.entries(screens)) {
      const window = await signIn({ colorScheme, viewport });
      const { page } = window;
      await page.getByText('clients connected').waitFor();
      const links = await page
        .getByRole('navigation', { name: 'Views', includeHidden: true })
        .getByRole('link', { includeHidden: true })
        .allTextContents();
      expect(links.length).toBeGreaterThan(2);
      for (const view of links) {
        if (name === 'narrow') await page.getByRole('button', { name: 'Menu' }).click();
        await goTo(page, view);
        await page.getByRole('heading', { level: 1, name: view, exact: true }).waitFor();
        await page.getByText('Loading …').first().waitFor({ state: 'hidden' });
        await takePicture(page, `${view.toLowerCase().replaceAll(' ', '-')}-${name}-${colorScheme}`);
        const [wide, sight] = await page.evaluate<number[]>('[document.documentElement.scrollWidth, innerWidth]');
        expect(wide, `${view} at ${viewport.width} pixels`).toBeLessThanOrEqual(sight);
      }
      expectClean(window);
      await page.context().close();
    }
  },
);
