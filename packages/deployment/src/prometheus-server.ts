import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeadlineError, freePort, ServerProcess } from '@dunlin/testkit';
import { stringify } from 'yaml';
import { programPath } from './programs.ts';

const scrapeSeconds = 1;
/** A node that is being started again on a busy machine takes so long to be seen. */
const untilMilliseconds = 30_000;
/** Pause between two queries whether something is seen: it becomes visible once a scrape. */
const askAgainMilliseconds = 200;

/** A series of an answer. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Values in the order of time. */
  readonly values: readonly number[];
}

/** A rule as Prometheus sees it. */
export interface EvaluatedRule {
  readonly name: string;
  /** `ok`, `err`, or `unknown` before it was evaluated for the first time. */
  readonly health: string;
  readonly lastError?: string;
}

interface Answer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
}

/** Prometheus refused a question. */
export class QueryError extends Error {
  constructor(expr: string, error: string | undefined) {
    super(`${expr}: ${error}`);
    this.name = 'QueryError';
  }
}

/** A real Prometheus on loopback that looks at some nodes once a second, under the job that dashboard and alerts ask for. */
export class PrometheusServer {
  readonly url: string;
  readonly #server: ServerProcess;
  readonly #directory: string;
  /** Seconds since 1970. */
  readonly #startedAt = Date.now() / 1000;

  private constructor(url: string, server: ServerProcess, directory: string) {
    this.url = url;
    this.#server = server;
    this.#directory = directory;
  }

  /**
   * `targets`: the admin servers of nodes, `HOST:PORT`; `rules`: files of rules.
   * @throws MissingProgramError
   */
  static async start(targets: readonly string[], rules: readonly string[]): Promise<PrometheusServer> {
    const command = programPath('prometheus');
    const directory = await mkdtemp(join(tmpdir(), 'prometheus-'));
    const file = join(directory, 'prometheus.yml');
    const interval = `${scrapeSeconds}s`;
    const configuration = {
      global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
      rule_files: rules,
      scrape_configs: [{ job_name: 'dunlin', static_configs: [{ targets }] }],
    };
    await writeFile(file, stringify(configuration));
    const address = `127.0.0.1:${await freePort()}`;
    const args = [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`];
    try {
      const server = await ServerProcess.start({
        ...{ name: 'prometheus', command, args: [...args, `--web.listen-address=${address}`] },
        isReady: (line) => line.includes('Server is ready to receive web requests'),
      });
      return new PrometheusServer(`http://${address}`, server, directory);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Result of a query at this moment. */
  query(expr: string): Promise<Series[]> {
    return this.#ask('query', expr, {});
  }

  /** Results of a query since the start, second by second. */
  history(expr: string): Promise<Series[]> {
    const times = { start: String(this.#startedAt), end: String(Date.now() / 1000), step: String(scrapeSeconds) };
    return this.#ask('query_range', expr, times);
  }

  /** Resolves when a question gives something: that is how tests wait for what Prometheus is to see. */
  async untilSome(expr: string): Promise<Series[]> {
    const end = Date.now() + untilMilliseconds;
    for (;;) {
      const series = await this.query(expr);
      if (series.length > 0) return series;
      if (Date.now() > end) throw new DeadlineError(`after ${untilMilliseconds} ms nothing is seen of ${expr}`);
      await new Promise((resolve) => setTimeout(resolve, askAgainMilliseconds));
    }
  }

  /** All rules, once each has been evaluated. */
  async rules(): Promise<EvaluatedRule[]> {
    const end = Date.now() + untilMilliseconds;
    for (;;) {
      const response = await fetch(`${this.url}/api/v1/rules`);
      const { data } = (await response.json()) as { data: { groups: { rules: EvaluatedRule[] }[] } };
      const rules = data.groups.flatMap((group) => group.rules);
      if (rules.every(({ health }) => health !== 'unknown') || Date.now() > end) return rules;
      await new Promise((resolve) => setTimeout(resolve, askAgainMilliseconds));
    }
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #ask(how: 'query' | 'query_range', expr: string, times: Readonly<Record<string, string>>): Promise<Series[]> {
    const response = await fetch(`${this.url}/api/v1/${how}?${new URLSearchParams({ query: expr, ...times })}`);
    const { status, error, data } = (await response.json()) as Answer;
    if (status !== 'success') throw new QueryError(expr, error);
    return data.result.map(({ metric, value, values }) => ({
      labels: metric,
      values: (values ?? [value as readonly [number, string]]).map(([, text]) => Number(text)),
    }));
  }
}
