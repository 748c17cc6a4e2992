// The table of drivers, and of what is known of their libraries.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DriverCommand } from './driver-process.ts';

const directory = join(dirname(import.meta.dirname), 'drivers');
/** Directory of what `.ci/install-client-libraries` installs and builds. */
const built = join(dirname(dirname(dirname(import.meta.dirname))), '.cache', 'clients');

export const languages = ['javascript', 'python', 'c', 'go', 'java', 'rust'] as const;
export type Language = (typeof languages)[number];

/** Library: the program that drives it, and where its version stands. */
export interface Driver {
  readonly name: string;
  readonly language: Language;
  /** Its name in the registry. */
  readonly library: string;
  readonly command: DriverCommand;
  /** A file that is there when the driver can be run. */
  readonly requires: string;
  /** The file that pins the version, and what stands before it there; or the Debian package. */
  readonly version: { readonly file: string; readonly before: string } | { readonly debianPackage: string };
}

function nodeDriver(name: string, library: string, program: string): Driver {
  return {
    name,
    language: 'javascript',
    library: `npm ${library}`,
    command: { file: process.execPath, args: [join(directory, 'javascript', program)] },
    requires: join(directory, 'javascript', program),
    version: { file: join(dirname(directory), 'package.json'), before: `"${library}": "` },
  };
}

function pythonDriver(library: string): Driver {
  const interpreter = join(built, 'python', 'bin', 'python');
  return {
    name: library === 'paho-mqtt' ? 'paho-py' : library,
    language: 'python',
    library: `PyPI ${library}`,
    command: {
      file: interpreter,
      args: [join(directory, 'python', `${library.replace('-', '_')}_driver.py`)],
      environment: { PYTHONDONTWRITEBYTECODE: '1' },
    },
    requires: interpreter,
    version: { file: join(directory, 'python', 'requirements.txt'), before: `${library}==` },
  };
}

function debianDriver(name: string, debianPackage: string): Driver {
  const program = join(built, 'c', name);
  return {
    name,
    language: 'c',
    library: `Debian ${debianPackage}`,
    command: { file: program, args: [] },
    requires: program,
    version: { debianPackage },
  };
}

function goDriver(name: string, module: string, program: string): Driver {
  const file = join(built, 'go', program);
  return {
    name,
    language: 'go',
    library: `Go ${module}`,
    command: { file, args: [] },
    requires: file,
    version: { file: join(directory, 'go', 'go.mod'), before: `${module} v` },
  };
}

function javaDriver(name: string, artifact: string, className: string): Driver {
  const classes = join(built, 'java', 'classes');
  const path = `${classes}:${join(built, 'java', 'libraries', '*')}`;
  return {
    name,
    language: 'java',
    library: `Maven ${artifact}`,
    // Drivers are short-lived and many: a small heap, and no second compiler.
    command: { file: 'java', args: ['-Xmx64m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', path, className] },
    requires: join(classes, `${className}.class`),
    version: {
      file: join(directory, 'java', 'pom.xml'),
      before: `<artifactId>${artifact}</artifactId>\n      <version>`,
    },
  };
}

function rustDriver(name: string, program: string): Driver {
  const file = join(built, 'rust', 'debug', program);
  return {
    name,
    language: 'rust',
    library: 'crates.io rumqttc',
    command: { file, args: [] },
    requires: file,
    version: { file: join(directory, 'rust', 'Cargo.toml'), before: 'rumqttc = { version = "=' },
  };
}

export const drivers: readonly Driver[] = [
  nodeDriver('mqtt.js', 'mqtt', 'mqtt-js.js'),
  nodeDriver('paho-js', 'paho-mqtt', 'paho.js'),
  pythonDriver('paho-mqtt'),
  pythonDriver('aiomqtt'),
  pythonDriver('gmqtt'),
  pythonDriver('amqtt'),
  debianDriver('libmosquitto', 'libmosquitto1'),
  debianDriver('paho-c', 'libpaho-mqtt1.3'),
  goDriver('paho-go', 'github.com/eclipse/paho.mqtt.golang', 'paho'),
  goDriver('autopaho', 'github.com/eclipse/paho.golang', 'autopaho'),
  javaDriver('paho-java', 'org.eclipse.paho.client.mqttv3', 'PahoDriver'),
  javaDriver('paho-java5', 'org.eclipse.paho.mqttv5.client', 'Paho5Driver'),
  javaDriver('hivemq', 'hivemq-mqtt-client', 'HiveMqDriver'),
  rustDriver('rumqttc', 'v4'),
  rustDriver('rumqttc5', 'v5'),
];

/** The version that is installed, as the file that pins it says, or Debian. */
export function versionOf({ version }: Driver): string {
  if ('debianPackage' in version) {
    const query = ['--show', '--showformat', '$' + '{source:Upstream-Version}', version.debianPackage];
    try {
      return execFileSync('dpkg-query', query, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    } catch {
      return '?';
    }
  }
  const text = readFileSync(version.file, 'utf8');
  const start = text.indexOf(version.before) + version.before.length;
  if (start < version.before.length) throw new RangeError(`${version.file} does not have '${version.before}'`);
  return /^[\w.]+/.exec(text.slice(start))?.[0] ?? '?';
}

/** Reason why a driver cannot be run, and what to do about it; null: it can. */
export function whyMissing({ language, requires }: Driver): string | null {
  if (existsSync(requires)) return null;
  return `not installed: .ci/install-client-libraries ${language}`;
}
