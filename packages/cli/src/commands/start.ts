import { isatty } from 'node:tty';
import { formatProblem, loadConfiguration } from '@dunlin/config';
import { Command } from 'commander';
import { starterGone } from '../starter.ts';
import { version } from '../version.ts';
import { addConfigurationOptions, type ConfigurationValues, readSources } from './configuration-options.ts';

export const startCommand: Command = addConfigurationOptions(new Command('start').description('run the broker')).action(
  start,
);

async function start(values: ConfigurationValues): Promise<void> {
  const { configuration, origins, warnings } = loadConfiguration(readSources(values));
  // A person at a terminal reads lines, everything else reads JSON.
  if (!origins.has('log.format') && isatty(1)) configuration.log.format = 'pretty';
  const reload = () => loadConfiguration(readSources(values)).configuration;
  // The other commands have no need of a broker, and start faster without it.
  const { checkFiles, serve } = await import('@dunlin/edge');
  const accessTexts = await checkFiles(configuration);
  const options = {
    version,
    origins,
    reload,
    accessTexts,
    warnings: warnings.map(formatProblem),
    starterGone: starterGone(),
  };
  process.exit(await serve(configuration, options));
}
