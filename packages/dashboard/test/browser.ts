/** A real browser for the tests of the page: Debian's Chromium, without a window. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Time that the page may take to show something, on a busy machine. */
export const pageMilliseconds = 15_000;

/** Pictures of the page, for people to look at. */
const picturesFolder = join(import.meta.dirname, '../../../.cache/dashboard');

export const screens = {
  narrow: { width: 390, height: 844 },
  wide: { width: 1280, height: 800 },
} as const;

export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Chromium's own sandbox cannot be set up by root, which tests in containers run as; it shows our own page alone.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

/** A window with what went wrong in it, and every request to another place than `base`. */
export interface Window {
  readonly page: Page;
  readonly faults: readonly string[];
  readonly foreign: readonly string[];
}

export async function openWindow(
  browser: Browser,
  base: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<Window> {
  const context = await browser.newContext({ viewport: screens.wide, ...options });
  context.setDefaultTimeout(pageMilliseconds);
  const page = await context.newPage();
  const faults: string[] = [];
  const foreign: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  // Answers that refuse something are part of the tests.
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(base)) foreign.push(request.url());
  });
  return { page, faults, foreign };
}

/** A picture of the whole page, in .cache/dashboard. */
export async function takePicture(page: Page, name: string): Promise<void> {
  mkdirSync(picturesFolder, { recursive: true });
  await page.screenshot({ path: join(picturesFolder, `${name}.png`), animations: 'disabled' });
}
