import { expect, test } from 'vitest';
import { checkoutBefore, figuresAgainst, measureAgainst } from '../src/against.ts';
import { BROKERS, selectBrokers } from '../src/brokers.ts';
import { CHECKOUT } from '../src/checkout.ts';
import { compare } from '../src/compare.ts';
import { FLEET_ROWS, fleetPage, renderFleet, selectFleetRows } from '../src/fleet.ts';
import { parseCommands } from '../src/generic-table.ts';
import { renderReport } from '../src/report.ts';
import { fromLines, medians, type Results, type SampleLine, toLines } from '../src/results.ts';
import { ROWS, selectRows, startGroups } from '../src/rows.ts';
import { judge, TARGETS } from '../src/targets.ts';

function verdictsOf(figures: Record<string, Record<string, number>>): Map<string, string> {
  const rows = new Map(Object.entries(figures).map(([row, values]) => [row, new Map(Object.entries(values))]));
  return new Map(judge(rows).map(({ target, text, outcome }) => [`${target.row} ${text}`, outcome]));
}

test('rows have names of their own, and every target is about one of them', () => {
  const names = ROWS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { row, bound } of TARGETS) {
    expect(names).toContain(row);
    if (bound.kind === 'own') expect(names).toContain(bound.row);
  }
});

test('every message row exists for both versions', () => {
  for (const row of selectRows('v4')) expect(ROWS.map(({ name }) => name)).toContain(`v5-${row.name}`);
  expect(selectRows('v5-to-v4').every((row) => row.arguments.join(' ').includes('--publisher-version 5'))).toBe(true);
});

test('rows and brokers are chosen by name, and others are refused', () => {
  expect(selectRows('ping, idle').map(({ name }) => name)).toEqual(['ping', 'idle']);
  expect(selectRows('all')).toHaveLength(ROWS.length);
  expect(() => selectRows('pings')).toThrow(RangeError);
  expect(selectBrokers('limit,dunlin').map(({ name }) => name)).toEqual(['limit', 'dunlin']);
  expect(() => selectBrokers('mosquito')).toThrow(RangeError);
});

test('an idle row has a start of its own, and so have durable rows', () => {
  const groups = startGroups(selectRows('ping,conn,idle,v5-idle,durable-qos1,v5-durable-qos1'));
  expect(groups.map((group) => group.map(({ name }) => name))).toEqual([
    ['ping', 'conn'],
    ['durable-qos1', 'v5-durable-qos1'],
    ['idle'],
    ['v5-idle'],
  ]);
});

test('a target is met at its bound, missed above it, and not measured without figures', () => {
  const verdicts = verdictsOf({
    'pair-w1000': { dunlin: 1.8, forwarder: 1, mosquitto: 2, nats: 1.8 },
    '20pairs-w100': { dunlin: 1.81, forwarder: 1 },
    'v5-20pairs-w100': { dunlin: 1.75 },
    'v5-to-v4-20pairs-w100': { dunlin: 2.1 },
    '1to100': { dunlin: 1 },
    'durable-qos1': { dunlin: 30_000 },
    idle: { dunlin: 12_289 },
    '500pairs-w1': { dunlin: 5, nats: 6, rumqttd: 7, forwarder: 4 },
  });
  expect(verdicts.get('pair-w1000 at most 1.8 × forwarder')).toBe('met');
  expect(verdicts.get('pair-w1000 below mosquitto, nats, rumqttd, aedes')).toBe('missed');
  expect(verdicts.get('20pairs-w100 at most 1.8 × forwarder')).toBe('missed');
  expect(verdicts.get('v5-to-v4-20pairs-w100 at most 1.2 × its own v5-20pairs-w100')).toBe('met');
  expect(verdicts.get('1to100 at most 1.6 × forwarder')).toBe('not measured');
  expect(verdicts.get('durable-qos1 at least 30000 messages a second')).toBe('met');
  expect(verdicts.get('idle at most 12288 bytes per connection')).toBe('missed');
  expect(verdicts.get('500pairs-w1 at most 1.15 × forwarder')).toBe('missed');
  expect(verdicts.get('500pairs-w1 below nats, rumqttd')).toBe('met');
  expect(verdicts.get('conn at most 2 × mosquitto')).toBe('not measured');
});

test('medians are taken per row and broker', () => {
  const sample = (round: number, value: number): SampleLine => ({
    kind: 'sample',
    round,
    row: 'ping',
    broker: 'limit',
    sample: { p50_us: value },
  });
  expect(
    medians([sample(1, 30), sample(2, 10), sample(3, 20)])
      .get('ping')
      ?.get('limit'),
  ).toBe(20);
  expect(
    medians([sample(1, 30), sample(2, 10)])
      .get('ping')
      ?.get('limit'),
  ).toBe(20);
});

test('a command of the table has a name', () => {
  expect(parseCommands(['a=b --c=d'])).toEqual([{ name: 'a', command: 'b --c=d' }]);
  expect(() => parseCommands(['=b'])).toThrow(RangeError);
});

test.skipIf(process.platform !== 'linux')(
  'yardsticks are measured and reported, on Linux, which mqload needs',
  async () => {
    const options = {
      rows: selectRows('20pairs-w100,v5-to-v4-20pairs-w100'),
      brokers: selectBrokers('forwarder,limit'),
    };
    const results: Results = await compare({ ...options, rounds: 1, seconds: 1, onProgress: () => {} });
    expect(results.samples.map(({ broker, row }) => `${broker} ${row}`)).toEqual([
      'forwarder 20pairs-w100',
      'limit 20pairs-w100',
    ]);
    for (const { sample } of results.samples) {
      expect(sample.delivered_per_second).toBeGreaterThan(0);
      expect(sample.broker_cpu_us_per_delivery).toBeGreaterThan(0);
    }
    expect(results.failures.map(({ row }) => row)).toEqual(['v5-to-v4-20pairs-w100', 'v5-to-v4-20pairs-w100']);
    expect(fromLines(toLines(results))).toEqual(results);
    const page = renderReport(results, 'benchmarks/raw.jsonl');
    expect(page).toContain('| `20pairs-w100` | QoS 0, 20 pairs, window 100 | broker CPU µs per delivery |');
    expect(page).not.toContain(process.cwd());
  },
);

test('a change may cost five hundredths, in messages a second as in CPU', () => {
  const rows = selectRows('pair-w1000,20pairs-w100,durable-qos1,ping');
  const line = (broker: string, row: string, field: string, value: number): SampleLine => ({
    kind: 'sample',
    round: 1,
    row,
    broker,
    sample: { [field]: value },
  });
  const cpu = 'broker_cpu_us_per_delivery';
  const figures = figuresAgainst(rows, [
    ...[0.15, 0.2, 0.9].map((value) => line('before', 'pair-w1000', cpu, value)),
    ...[0.21, 0.1, 0.9].map((value) => line('dunlin', 'pair-w1000', cpu, value)),
    line('before', '20pairs-w100', cpu, 0.2),
    line('dunlin', '20pairs-w100', cpu, 0.211),
    line('before', 'durable-qos1', 'delivered_per_second', 100_000),
    line('dunlin', 'durable-qos1', 'delivered_per_second', 95_000),
    line('dunlin', 'ping', 'p50_us', 30),
  ]);
  expect(figures.map(({ row, before, here, ratio, outcome }) => [row, before, here, ratio, outcome])).toEqual([
    ['pair-w1000', 0.2, 0.21, 1.05, 'met'],
    ['20pairs-w100', 0.2, 0.211, 1.055, 'missed'],
    ['ping', null, 30, null, 'not measured'],
    ['durable-qos1', 100_000, 95_000, 1.053, 'missed'],
  ]);
});

test('a checkout to compare with must be there, and built', () => {
  expect(() => checkoutBefore('/nowhere')).toThrow(
    "must be a checkout of Dunlin that is built, not '/nowhere': no /nowhere/packages/cli/bin/dunlin.js",
  );
});

test.skipIf(process.platform !== 'linux')(
  'two checkouts are measured in turn, on Linux, which mqload needs',
  async () => {
    const lines: string[] = [];
    const figures = await measureAgainst(checkoutBefore(CHECKOUT), {
      rows: selectRows('20pairs-w100'),
      rounds: 1,
      seconds: 1,
      onProgress: (line) => lines.push(line),
    });
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['1 before', '1 dunlin']);
    expect(figures[0].before).toBeGreaterThan(0);
    expect(figures[0].here).toBeGreaterThan(0);
  },
);

test('every broker says how to get it', () => {
  for (const broker of BROKERS) expect(broker.howToGet).not.toBe('');
});

test('the rows of a fleet: names of their own, a rate in each, and figures beside another broker', async () => {
  const names = FLEET_ROWS.map(({ name }) => name);
  expect(new Set([...names, ...ROWS.map(({ name }) => name)]).size).toBe(names.length + ROWS.length);
  expect(FLEET_ROWS.every((row) => row.arguments.includes('--rate'))).toBe(true);
  expect(() => selectFleetRows('fleet-600')).toThrow(RangeError);
  const rows = selectFleetRows('fleet-500').map((row) => ({
    ...row,
    arguments: ['-m', 'fanin', '-P', '20', '--topics', '3', '-S', '1', '-q', '1', '--rate', '500'],
  }));
  const results = await compare({
    rows,
    brokers: selectBrokers('dunlin'),
    rounds: 1,
    seconds: 1,
    onProgress: () => undefined,
  });
  const [line] = results.samples;
  expect(line.sample).toMatchObject({ rate: 500, topics: 3 });
  // What is sent at a rate arrives at that rate, a machine with other work to do or not.
  expect(Number(line.sample.delivered_per_second)).toBeGreaterThan(400);
  const table = renderFleet(results);
  for (const figure of ['CPU µs per delivery', 'p50 µs', 'p99 µs', 'p99.9 µs']) expect(table).toContain(figure);
  expect(fleetPage(results)).toContain('`fleet-500`');
});
