import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { metricNames, metricTable, slotMetric, slotThresholds, thresholdsOf } from '../src/metric-table.ts';
import {
  describeSettings,
  type NumberVariable,
  numberTable,
  readSettings,
  type ScenarioName,
  SettingsError,
  scenarioNames,
} from '../src/settings.ts';
import { markdownTable, metricRows, scenarioRows, variableRows } from '../src/tables.ts';

const root = join(import.meta.dirname, '..');
const environment = { BROKER_URL: 'ws://127.0.0.1:8080/mqtt' };
const rows: [string, NumberVariable][] = Object.entries(numberTable);

test('every scenario has a script, and every script is a scenario', () => {
  const scripts = readdirSync(join(root, 'src', 'scenarios')).map((file) => file.replace(/\.ts$/, ''));
  expect(scripts.sort()).toEqual([...scenarioNames].sort());
});

describe('settings', () => {
  test.each(scenarioNames)('%s has all of its defaults, each within its range', (scenario) => {
    const settings = readSettings(scenario, environment);
    for (const [key, { defaults, lowest, highest }] of rows) {
      const value = settings[key as keyof typeof numberTable];
      expect(value, key).toBe(defaults[scenario] ?? 0);
      if (defaults[scenario] === undefined) continue;
      expect(value).toBeGreaterThanOrEqual(lowest);
      expect(value).toBeLessThanOrEqual(highest);
    }
    expect(settings).toMatchObject({ scenario, version: 5, brokerUrls: [environment.BROKER_URL], username: null });
  });

  test.each(rows)(
    '%s: what is out of range or no number is named',
    (_, { variable, lowest, highest, parts, defaults }) => {
      const scenario = scenarioNames.find((name) => defaults[name] !== undefined) as ScenarioName;
      const kind = parts === true ? 'a number' : 'a whole number';
      const wrong = [String(lowest - 1), String(highest * 2 + 1), 'many', ' ', '1e999', 'NaN'];
      for (const value of parts === true ? wrong : [...wrong, '1.5']) {
        expect(() => readSettings(scenario, { ...environment, [variable]: value })).toThrow(
          new SettingsError(`${variable} must be ${kind} from ${lowest} to ${highest}, not '${value}'`),
        );
      }
      const others = scenarioNames.filter((name) => defaults[name] === undefined);
      for (const other of others) readSettings(other, { ...environment, [variable]: 'many' });
    },
  );

  test.each([
    [{ BROKER_URL: undefined }, 'BROKER_URL must be set'],
    [{ BROKER_URL: '' }, 'BROKER_URL must be set'],
    [
      { BROKER_URL: 'mqtt://127.0.0.1:1883' },
      "BROKER_URL must be ws://HOST:PORT/PATH or wss://…, not 'mqtt://127.0.0.1:1883'",
    ],
    [{ BROKER_URL: 'ws://a/mqtt,' }, "BROKER_URL must be ws://HOST:PORT/PATH or wss://…, not ''"],
    [{ MQTT_VERSION: '4' }, "MQTT_VERSION must be 3.1.1 or 5, not '4'"],
    [{ TOPIC_PREFIX: 'a/#' }, "not 'a/#'"],
    [{ TOPIC_PREFIX: '$SYS' }, "not '$SYS'"],
    [{ MQTT_VERSION: '3.1.1', MQTT_PASSWORD: 'secret' }, 'MQTT_PASSWORD needs MQTT_USERNAME'],
  ])('a wrong value: %o', (wrong, message) => {
    expect(() => readSettings('fan-out', { ...environment, ...wrong })).toThrow(message);
  });

  test.each(['reconnect-storm', 'offline-backlog'] as const)('%s needs QoS 1 or 2', (scenario) => {
    expect(() => readSettings(scenario, { ...environment, QOS: '0' })).toThrow(`QOS must be 1 or 2 for ${scenario}`);
  });

  test('several brokers, both versions, and no password in what is printed', () => {
    const settings = readSettings('shared', {
      BROKER_URL: 'ws://a:1/mqtt, wss://user:secret@b',
      MQTT_VERSION: '3.1.1',
      MQTT_USERNAME: 'u',
      MQTT_PASSWORD: 'secret',
      RATE: '0.5',
    });
    expect(settings).toMatchObject({ brokerUrls: ['ws://a:1/mqtt', 'wss://user:secret@b'], version: 4, rate: 0.5 });
    const described = describeSettings(settings);
    expect(JSON.stringify(described)).not.toContain('secret');
    expect(described.map(([variable]) => variable)).toContain('SUBSCRIBERS');
    expect(described.map(([variable]) => variable)).not.toContain('TOPICS');
  });
});

describe('thresholds', () => {
  test.each(scenarioNames)('%s: each is about a metric, and no group is missing', (scenario) => {
    const thresholds = thresholdsOf(readSettings(scenario, { ...environment, VUS: '3' }));
    expect(metricNames).toEqual(expect.arrayContaining(Object.keys(thresholds)));
    expect(thresholds.mqtt_groups_finished).toEqual(['count>=3']);
    const isAboutMessages = scenario !== 'connections';
    expect(thresholds.mqtt_messages_lost).toEqual(isAboutMessages ? ['count<=0'] : undefined);
  });

  test('repetition is forbidden, except for QoS 1 when connections are lost', () => {
    const doubled = (scenario: ScenarioName, further: Record<string, string>) =>
      thresholdsOf(readSettings(scenario, { ...environment, ...further })).mqtt_messages_doubled;
    expect(doubled('fan-out', { QOS: '1' })).toEqual(['count<=0']);
    expect(doubled('reconnect-storm', { QOS: '2' })).toEqual(['count<=0']);
    expect(doubled('reconnect-storm', { QOS: '1' })).toBeUndefined();
    expect(doubled('reconnect-storm', { QOS: '1', DOUBLED_MAX: '5' })).toEqual(['count<=5']);
  });

  test('each slot of each series is kept', () => {
    const names = Object.keys(slotThresholds());
    expect(names).toContain(slotMetric('mqtt_latency', 0));
    expect(names).not.toContain(slotMetric('mqtt_messages_lost', 0));
  });
});

describe('README.md', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  // `npm run docs:k6` writes them.
  test.each([
    ['scenarios', scenarioRows()],
    ['variables', variableRows()],
    ['metrics', metricRows()],
  ])('has the table of %s as the code has it', (name, table) => {
    const start = readme.indexOf(`<!-- ${name} -->\n`);
    expect(readme.slice(start, readme.indexOf('<!-- end -->', start))).toBe(
      `<!-- ${name} -->\n${markdownTable(table)}\n`,
    );
  });

  test('metrics are described, each in its words', () => {
    const descriptions = Object.values(metricTable).map(({ describes }) => describes);
    expect(new Set(descriptions).size).toBe(metricNames.length);
  });
});
