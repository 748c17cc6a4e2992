import { writeFileSync } from 'node:fs';
import { configurationJsonSchema, configurationTemplate, printConfiguration } from '@dunlin/config';
import { Command } from 'commander';
import { CommandError } from '../exit-code.ts';
import { addConfigurationOptions, type ConfigurationValues, loadAndWarn } from './configuration-options.ts';

const check = addConfigurationOptions(
  new Command('check').description(
    'check the configuration and every file that it names, say everything that is wrong',
  ),
).action(async (values: ConfigurationValues) => {
  const { configuration } = loadAndWarn(values);
  const { checkFiles } = await import('@dunlin/edge');
  await checkFiles(configuration);
  process.stdout.write('the configuration is good\n');
});

const print = addConfigurationOptions(
  new Command('print').description('print the configuration that holds, and where each key was set'),
).action((values: ConfigurationValues) => {
  const { configuration, origins } = loadAndWarn(values);
  process.stdout.write(printConfiguration(configuration, origins));
});

const init = new Command('init')
  .description('write a configuration file with every key, commented out')
  .argument('[file]', 'where to write it', 'dunlin.yaml')
  .action((file: string) => {
    try {
      // `wx`: a file that is there is somebody's work.
      writeFileSync(file, configurationTemplate(), { flag: 'wx' });
    } catch (cause) {
      const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
      throw new CommandError(
        'failed',
        exists
          ? `the file ${file} exists already; it is not replaced`
          : `the file ${file} cannot be written: ${(cause as Error).message}`,
        cause,
      );
    }
    process.stdout.write(`${file} written\n`);
  });

const schema = new Command('schema').description('print the JSON schema of the configuration file').action(() => {
  process.stdout.write(`${JSON.stringify(configurationJsonSchema(), null, 2)}\n`);
});

export const configCommand: Command = new Command('config')
  .description('work with the configuration')
  .addCommand(check)
  .addCommand(print)
  .addCommand(init)
  .addCommand(schema);
