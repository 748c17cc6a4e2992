import { freePort } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { numberTable, scenarioNames, textTable } from '../src/settings.ts';
import { countOf, reportOf, runLoad } from './load-command.ts';

const anywhere = { BROKER_URL: 'ws://127.0.0.1:1/mqtt' };

test('--help names every scenario and variable', async () => {
  const { code, output } = await runLoad(['--help'], {});
  expect(code).toBe(0);
  const variables = [...Object.values(textTable), ...Object.values(numberTable)].map(({ variable }) => variable);
  for (const name of [...scenarioNames, ...variables]) expect(output).toMatch(new RegExp(`(^| )${name}( |$)`, 'm'));
});

test.each([
  { args: [], variables: anywhere, says: 'a scenario must be named' },
  { args: ['fan-up'], variables: anywhere, says: "there is no scenario 'fan-up'" },
  { args: ['fan-out', '--vus', '3'], variables: anywhere, says: '--vus would replace the scenario; use VUS' },
  { args: ['fan-out', '--duration=3s'], variables: anywhere, says: '--duration=3s would replace the scenario' },
  { args: ['fan-out', '--no-summary'], variables: anywhere, says: '--no-summary would leave nothing of the run' },
  {
    args: ['fan-out', '--quiet', '--summary-mode', 'disabled'],
    variables: anywhere,
    says: '--summary-mode disabled would leave nothing of the run',
  },
  {
    args: ['fan-out', '--summary-mode=disabled'],
    variables: anywhere,
    says: '--summary-mode=disabled would leave nothing of the run',
  },
  {
    args: ['fan-out', '--new-machine-readable-summary'],
    variables: anywhere,
    says: '--new-machine-readable-summary knows neither thresholds nor p(99)',
  },
  { args: ['fan-out'], variables: {}, says: 'BROKER_URL must be set: ws://HOST:PORT/PATH' },
  { args: ['fan-out'], variables: { ...anywhere, QOS: '3' }, says: "QOS must be a whole number from 0 to 2, not '3'" },
])('a wrong call is exit code 2: $says', async ({ args, variables, says }) => {
  const { code, errors, output, files } = await runLoad(args, variables);
  expect(code).toBe(2);
  expect(errors).toContain(says);
  expect(output).toBe('');
  expect(files).toEqual({});
});

test('without k6 it says how to get it', async () => {
  const { code, errors } = await runLoad(['fan-out'], { ...anywhere, K6: '/nowhere/k6' });
  expect(code).toBe(1);
  expect(errors).toMatch(/^k6 is not installed: .*go install go\.k6\.io\/k6@v1\.8\.1/);
});

test('a broker that is not there: exit code 99, every connection is counted as failed, and why is said', async () => {
  const url = `ws://127.0.0.1:${await freePort()}/mqtt`;
  // Variables of k6 that would keep it from making a report count for nothing.
  const ofK6 = { K6_NEW_MACHINE_READABLE_SUMMARY: 'true', K6_NO_SUMMARY: 'true', K6_SUMMARY_MODE: 'disabled' };
  const result = await runLoad(['fan-out'], { BROKER_URL: url, SUBSCRIBERS: '3', CONNECT_RATE: '1000', ...ofK6 });
  expect(result.code).toBe(99);
  expect(result.errors).toContain('connection refused');
  const report = reportOf(result, 'fan-out');
  expect(report.isPassed).toBe(false);
  expect(countOf(report, 'mqtt_connections_failed')).toBe(3);
  expect(countOf(report, 'mqtt_errors')).toBe(1);
  expect(countOf(report, 'mqtt_groups_finished')).toBe(0);
});
