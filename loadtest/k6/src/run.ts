import { Group } from './group.ts';
import { slotThresholds, thresholdsOf } from './metric-table.ts';
import { Metrics } from './metrics.ts';
import { makeReport, type SummaryData } from './report.ts';
import { reportPage } from './report-page.ts';
import { reportText } from './report-text.ts';
import { readSettings, type ScenarioName, type Settings } from './settings.ts';

/** The percentiles that summaries have. */
const trendStatistics = ['count', 'avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'];
/** Beyond what the settings add up to, before a group that hangs is ended. */
const spareSeconds = 60;
/** Waits for an answer that a group may do one after the other. */
const waitsMax = 6;

/**
 * Exports that k6 wants from a script, for one scenario: `options`, `main` as its default export, and `handleSummary`.
 */
export class Run {
  readonly settings: Settings;
  readonly options: object;
  readonly main: () => Promise<void>;
  readonly handleSummary: (data: SummaryData) => Record<string, string>;

  /** @param body what one group does @throws SettingsError */
  constructor(scenario: ScenarioName, body: (group: Group) => Promise<void>) {
    const settings = readSettings(scenario, __ENV);
    const metrics = new Metrics(settings);
    this.settings = settings;
    this.options = optionsOf(settings);
    this.main = () => runGroup(new Group(settings, metrics), body);
    this.handleSummary = (data) => writeReport(settings, data);
  }
}

function optionsOf(settings: Settings): object {
  const clients = settings.connections + 2 * settings.pairs + settings.publishers + settings.subscribers;
  const connectSeconds = clients / settings.connectRate;
  const seconds = settings.durationSeconds + 2 * connectSeconds + waitsMax * settings.timeoutSeconds + spareSeconds;
  return {
    scenarios: {
      [settings.scenario]: {
        executor: 'per-vu-iterations',
        vus: settings.vus,
        iterations: 1,
        maxDuration: `${Math.ceil(seconds)}s`,
        gracefulStop: `${settings.timeoutSeconds}s`,
      },
    },
    thresholds: { ...thresholdsOf(settings), ...slotThresholds() },
    summaryTrendStats: trendStatistics,
  };
}

async function runGroup(group: Group, body: (group: Group) => Promise<void>): Promise<void> {
  try {
    await body(group);
    group.add('mqtt_groups_finished', 1);
  } catch (error) {
    group.add('mqtt_errors', 1);
    console.error(error instanceof Error ? error.message : String(error));
  }
  await group.close();
}

function writeReport(settings: Settings, data: SummaryData): Record<string, string> {
  const report = makeReport(settings, data);
  const text = reportText(report);
  const file = (ending: string) => `${settings.reportDirectory}/${settings.scenario}.${ending}`;
  return {
    stdout: `\n${text}\nwritten to ${file('txt')}, ${file('json')} and ${file('html')}\n`,
    [file('txt')]: text,
    [file('json')]: `${JSON.stringify(report, null, 2)}\n`,
    [file('html')]: reportPage(report),
  };
}
