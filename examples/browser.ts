/** A real browser for the tests of the examples: Debian's Chromium, without a window. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BrokerProcess, freePort, ServerProcess, startDunlin } from '@dunlin/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';

/**
 * Time that a page may take to show what was done to it, on a busy machine; then the test fails and says what it shows.
 */
export const pageMilliseconds = 10_000;

/** Pictures of the pages, for people to look at. */
const picturesFolder = join(import.meta.dirname, '../.cache/examples');

export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Chromium's own sandbox cannot be set up by root, which tests in containers run as; it shows our own pages alone.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

/** A browser window of its own: nothing in it is shared with another. It keeps what went wrong in the page, for `faultsOf`. */
export async function openWindow(browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 960, height: 720 }, ...options });
  context.setDefaultTimeout(pageMilliseconds);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => undefined); // the page may be gone already
  });
  page.on('console', (message) => {
    // A broker that is not there is part of the tests; browsers write a line for each attempt.
    if (message.type() === 'error' && !message.text().startsWith('WebSocket connection to'))
      faults.push(message.text());
  });
  faultsByPage.set(page, faults);
  return page;
}

const faultsByPage = new WeakMap<Page, string[]>();

/** Errors, refused scripts and dialogs of a page since it was opened. */
export function faultsOf(page: Page): readonly string[] {
  return faultsByPage.get(page) ?? [];
}

/** A picture of what the page shows, in .cache/examples. */
export async function takePicture(page: Page, name: string): Promise<void> {
  mkdirSync(picturesFolder, { recursive: true });
  await page.screenshot({ path: join(picturesFolder, `${name}.png`), animations: 'disabled' });
}

/** The command of an example, run as people do, and the address it prints. */
export interface ExampleProcess {
  readonly address: string;
  output(): string;
  stop(): Promise<unknown>;
}

export async function startExample(name: string, broker: string): Promise<ExampleProcess> {
  const server = await ServerProcess.start({
    name: `the example ${name}`,
    command: process.execPath,
    args: [join(import.meta.dirname, 'run.ts'), name, '--port', '0', '--broker', broker],
    isReady: (line) => /^The broker at|^No broker/.test(line),
  });
  const address = /http:\/\/\S+/.exec(server.output())?.[0] ?? '';
  return { address, output: () => server.output(), stop: () => server.stop() };
}

/** Dunlin as the READMEs start it, TCP and WebSocket, on ports that stay the same over `restart`. */
export class ExampleBroker {
  readonly webSocketUrl: string;
  readonly #port: number;
  readonly #dataDirectory: string;
  #process: BrokerProcess | null = null;

  private constructor(port: number, webSocketPort: number, dataDirectory: string) {
    this.#port = port;
    this.webSocketUrl = `ws://127.0.0.1:${webSocketPort}/mqtt`;
    this.#dataDirectory = dataDirectory;
  }

  static async start(dataDirectory: string): Promise<ExampleBroker> {
    const broker = new ExampleBroker(await freePort(), await freePort(), dataDirectory);
    await broker.restart();
    return broker;
  }

  /** `mqtt://127.0.0.1:PORT`, for Mosquitto's programs. */
  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  async restart(): Promise<void> {
    this.#process = await startDunlin({
      port: this.#port,
      listeners: [this.webSocketUrl],
      store: 'lmdb',
      dataDirectory: this.#dataDirectory,
      workers: 2,
    });
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }
}
