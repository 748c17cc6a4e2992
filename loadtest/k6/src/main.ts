/** The command line of the load test: `npm run k6 -- SCENARIO [k6 options]`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { tellFailure, UsageError } from '@dunlin/testkit';
import { findK6 } from './k6-program.ts';
import {
  isScenario,
  type NumberVariable,
  numberTable,
  readSettings,
  SettingsError,
  scenarioNames,
  scenarioTable,
  textTable,
} from './settings.ts';

const usage = `BROKER_URL=ws://HOST:PORT/PATH npm run k6 -- SCENARIO [k6 options]

${scenarioNames.map((name) => `  ${name.padEnd(16)}  ${scenarioTable[name]}`).join('\n')}

Everything else is said by variables of the environment; README.md beside this has their defaults:

  ${[...Object.values(textTable), ...Object.values<NumberVariable>(numberTable)]
    .map(({ variable }) => variable)
    .join(' ')
    .replace(/(.{1,100})( |$)/g, '$1\n  ')
    .trim()}

Options are those of \`k6 run\`, for example --out json=FILE or --quiet; not --vus and --duration, which VUS and DURATION_SECONDS replace,
and not those that leave no report: --no-summary, --summary-mode=disabled, --new-machine-readable-summary.
Exit code 99: a threshold was not met.
`;

/**
 * Environment that keeps k6 from what it does without being asked, and must not: it tells its makers of the run, and
 * looks for extensions.
 */
const quietEnvironment = { K6_NO_USAGE_REPORT: 'true', K6_AUTO_EXTENSION_RESOLUTION: 'false' };
/**
 * Environment without what would keep k6 from giving us what reports are made of; its variables of the same names count
 * for nothing.
 */
const reportEnvironment = {
  K6_NO_SUMMARY: 'false',
  K6_SUMMARY_MODE: 'compact',
  K6_NEW_MACHINE_READABLE_SUMMARY: 'false',
};
/** Exit codes of programs ended by a signal begin here. */
const signalExitBase = 128;

/** @throws UsageError for options of k6 that would replace the scenario, or leave no report of it */
function checkOptions(options: readonly string[]): void {
  const replaced = options.find((option) => /^(-u|--vus|-d|--duration|-i|--iterations|-s|--stage)(=|$)/.test(option));
  if (replaced !== undefined)
    throw new UsageError(`${replaced} would replace the scenario; use VUS and DURATION_SECONDS`);
  const silent = /(?:^| )(--no-summary|--summary-mode[= ]disabled)(?= |$)/.exec(options.join(' '))?.[1];
  if (silent !== undefined)
    throw new UsageError(`${silent} would leave nothing of the run; --quiet leaves out the progress bar`);
  const other = options.find((option) => /^--new-machine-readable-summary(=true)?$/.test(option));
  if (other !== undefined)
    throw new UsageError(`${other} knows neither thresholds nor p(99); REPORT_DIRECTORY has a report in JSON`);
}

/** Runs k6. Resolves with its exit code. */
async function run([scenario, ...options]: readonly string[]): Promise<number> {
  if (scenario === '--help' || scenario === '-h') {
    process.stdout.write(usage);
    return 0;
  }
  if (scenario === undefined) throw new UsageError('a scenario must be named');
  if (!isScenario(scenario)) throw new UsageError(`there is no scenario '${scenario}'`);
  checkOptions(options);
  const { reportDirectory } = readSettings(scenario, process.env);
  const k6 = findK6();
  await mkdir(reportDirectory, { recursive: true });
  const script = join(import.meta.dirname, 'scenarios', `${scenario}.ts`);
  // Without k6's own HTTP server, which would want port 6565; an --address that is given comes later and wins.
  const child = spawn(k6, ['run', '--address', '', ...options, script], {
    stdio: 'inherit',
    env: { ...quietEnvironment, ...process.env, ...reportEnvironment },
  });
  // Ctrl-C reaches k6 as well, which then writes its summary: that is waited for.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return code ?? signalExitBase + (signal === null ? 0 : constants.signals[signal]);
}

run(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const code = tellFailure(error, usage, [SettingsError]);
    process.exit(error instanceof SettingsError ? 2 : code);
  },
);
