import { Cluster } from '@dunlin/cluster';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../src/report.ts';
import { type ScenarioName, scenarioNames } from '../src/settings.ts';
import { countOf, reportOf, runLoad } from './load-command.ts';

// Every scenario against three nodes, with little load: what is lost, doubled or disordered must be none. How fast it is, is for a machine
// that has nothing else to do.

const startMilliseconds = 60_000;
const scenarioMilliseconds = 60_000;
const seconds = 3;

/** Bounds for all of them. Latency is bounded so that nothing hangs, on a machine that runs other tests as well. */
const always = {
  DURATION_SECONDS: String(seconds),
  TIMEOUT_SECONDS: '15',
  LATENCY_P99_MILLISECONDS: '5000',
  CONNECT_P99_MILLISECONDS: '10000',
  CATCH_UP_P99_MILLISECONDS: '15000',
};

interface Load {
  readonly scenario: ScenarioName;
  readonly variables: Readonly<Record<string, string>>;
  /** Number of messages that all subscribers together get for one that is published; null where they come in rounds. */
  readonly audience: number | null;
  /** Number of subscribers that catch up at a time. */
  readonly catchUps?: number;
}

const loads: readonly Load[] = [
  { scenario: 'connections', variables: { CONNECTIONS: '300', CONNECT_RATE: '300' }, audience: null },
  { scenario: 'point-to-point', variables: { PAIRS: '10', QOS: '2', VUS: '2' }, audience: 1 },
  { scenario: 'fan-out', variables: { SUBSCRIBERS: '50', RATE: '10' }, audience: 50 },
  { scenario: 'fan-in', variables: { PUBLISHERS: '30', RATE: '3', MQTT_VERSION: '3.1.1' }, audience: 1 },
  { scenario: 'shared', variables: { PUBLISHERS: '5', SUBSCRIBERS: '4' }, audience: 1 },
  { scenario: 'retained-storm', variables: { TOPICS: '200', SUBSCRIBERS: '10' }, audience: null, catchUps: 10 },
  {
    scenario: 'reconnect-storm',
    // A message that meets a session on its way to another node may have to wait until the ends of logs are looked at.
    variables: {
      SUBSCRIBERS: '20',
      RATE: '40',
      STORM_EVERY_SECONDS: '1',
      QOS: '2',
      LATENCY_P99_MILLISECONDS: '15000',
    },
    audience: 1,
    catchUps: 20,
  },
  { scenario: 'offline-backlog', variables: { SUBSCRIBERS: '5', MESSAGES: '100' }, audience: 1, catchUps: 5 },
];

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ nodes: 3 });
}, startMilliseconds);

afterAll(() => cluster.stop());

function catchUpsOf(report: Report): number {
  return report.trends.find(({ metric }) => metric === 'mqtt_catch_up_time')?.count ?? 0;
}

test('there is a load for each scenario', () => {
  expect(loads.map(({ scenario }) => scenario)).toEqual(scenarioNames);
});

test.each(loads)(
  '$scenario: every threshold is met by three nodes',
  { timeout: scenarioMilliseconds },
  async (load) => {
    const { scenario, variables, audience, catchUps } = load;
    const urls = cluster.nodes.map(({ ws }) => `ws://127.0.0.1:${ws}/mqtt`);
    const result = await runLoad([scenario, '--quiet'], { ...always, ...variables, BROKER_URL: urls.join(',') });
    expect(result.errors).toBe('');
    expect(result.output).toContain(`${scenario}: every threshold is met`);
    expect(result.code).toBe(0);
    const report = reportOf(result, scenario);
    expect(Object.keys(result.files).sort()).toEqual([`${scenario}.html`, `${scenario}.json`, `${scenario}.txt`]);
    expect(result.files[`${scenario}.html`]).toContain('<svg ');
    expect(report.runSeconds).toBeGreaterThanOrEqual(seconds);
    const received = countOf(report, 'mqtt_messages_received');
    if (audience !== null) expect(received).toBe(audience * countOf(report, 'mqtt_messages_sent'));
    if (catchUps !== undefined) {
      expect(catchUpsOf(report)).toBeGreaterThanOrEqual(catchUps);
      expect(catchUpsOf(report) % catchUps).toBe(0);
    }
  },
);
