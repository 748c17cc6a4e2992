import { execFile } from 'node:child_process';
import { chown, copyFile, cp, lstat, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import { contextFiles, ignorePatterns } from './build-context.ts';
import { assignments, execForm, type Instruction, parseDockerfile, type Stage } from './dockerfile.ts';
import { imageUser, isRoot, unprivileged } from './unprivileged.ts';

/** Output of a step before it is cut: npm and the compiler write little. */
const outputBytesMax = 16 * 1024 * 1024;
/** A step that takes longer hangs. */
const stepMilliseconds = 300_000;

/**
 * Variables that npm needs where the network has ways of its own; everything else of this process's environment stays
 * outside.
 */
const networkVariables = /^(node_extra_ca_certs|https?_proxy|no_proxy)$/i;
const networkSettings = ['registry', 'cafile'] as const;

/** The same as far as it stands in npm's configuration, which belongs to a user whose home the steps do not see. */
async function npmNetwork(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of networkSettings) {
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', name]);
    const value = stdout.trim();
    if (value !== '' && value !== 'null') found[`npm_config_${name}`] = value;
  }
  return found;
}

/** An image as folders: what a container would be made of. */
export interface BuiltImage {
  /** The folder that is `/` of the image. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly user: string;
  readonly volumes: readonly string[];
  readonly stopSignal: string;
  readonly healthCheck: readonly string[];
  /** ENTRYPOINT and CMD. */
  readonly command: readonly string[];
}

/** Options of building an image. */
export interface ImageBuildOptions {
  /** The folder with `Dockerfile` and `.dockerignore`. */
  readonly context: string;
  /** Directory of the stages, a folder each. */
  readonly into: string;
  /** PATH of the steps. */
  readonly path: string;
}

/**
 * Builds an image from a Dockerfile, without a container engine: a stage is a folder, COPY copies, RUN runs the command
 * there as a user without privileges. What the images named by FROM hold comes from this machine, so steps must name
 * their files relative to WORKDIR.
 * @throws what a step throws: its output, when it does not end with 0
 */
export async function buildImage(options: ImageBuildOptions): Promise<BuiltImage> {
  const stages = parseDockerfile(await readFile(join(options.context, 'Dockerfile'), 'utf8'));
  const patterns = ignorePatterns(await readFile(join(options.context, '.dockerignore'), 'utf8'));
  const files = contextFiles(options.context, patterns);
  const built = new Map<string, StageBuild>();
  let last: StageBuild | null = null;
  for (const [index, stage] of stages.entries()) {
    last = new StageBuild(options, files, built, join(options.into, stage.name || `stage-${index}`));
    await last.run(stage);
    built.set(stage.name, last);
  }
  if (last === null) throw new SyntaxError('the Dockerfile has no FROM');
  return last.image();
}

class StageBuild {
  readonly root: string;
  readonly #options: ImageBuildOptions;
  readonly #contextFiles: readonly string[];
  readonly #others: ReadonlyMap<string, StageBuild>;
  readonly #environment: Record<string, string> = {};
  readonly #volumes: string[] = [];
  #workingDirectory = '/';
  #user = '0';
  #stopSignal = 'SIGTERM';
  #healthCheck: readonly string[] = [];
  #entryPoint: readonly string[] = [];
  #command: readonly string[] = [];

  constructor(
    options: ImageBuildOptions,
    files: readonly string[],
    others: ReadonlyMap<string, StageBuild>,
    root: string,
  ) {
    this.#options = options;
    this.#contextFiles = files;
    this.#others = others;
    this.root = root;
  }

  image(): BuiltImage {
    return {
      root: this.root,
      environment: this.#environment,
      workingDirectory: this.#workingDirectory,
      user: this.#user,
      volumes: this.#volumes,
      stopSignal: this.#stopSignal,
      healthCheck: this.#healthCheck,
      command: [...this.#entryPoint, ...this.#command],
    };
  }

  async run(stage: Stage): Promise<void> {
    await this.#makeDirectory('/');
    await this.#makeDirectory('/tmp');
    for (const instruction of stage.instructions) await this.#step(instruction);
  }

  async #step({ name, flags, text }: Instruction): Promise<void> {
    if (name === 'WORKDIR') {
      this.#workingDirectory = posix.resolve(this.#workingDirectory, text);
      await this.#makeDirectory(this.#workingDirectory);
    } else if (name === 'COPY') await this.#copy(flags.get('from'), text.split(/\s+/));
    else if (name === 'RUN') await this.#execute(text);
    else if (name === 'ENV') Object.assign(this.#environment, assignments(text));
    else if (name === 'USER') this.#user = text;
    else if (name === 'VOLUME') this.#volumes.push(text);
    else if (name === 'STOPSIGNAL') this.#stopSignal = text;
    else if (name === 'HEALTHCHECK') this.#healthCheck = inExecForm(text.slice(text.indexOf('CMD') + 3).trim());
    else if (name === 'ENTRYPOINT') this.#entryPoint = inExecForm(text);
    else if (name === 'CMD') this.#command = inExecForm(text);
    else if (name !== 'LABEL' && name !== 'EXPOSE') throw new SyntaxError(`${name} is not understood here`);
  }

  /** The folder of this machine that is a path of the image. */
  #place(path: string): string {
    return join(this.root, posix.resolve(this.#workingDirectory, path));
  }

  async #makeDirectory(path: string): Promise<void> {
    await mkdir(this.#place(path), { recursive: true });
    if (isRoot()) await chown(this.#place(path), imageUser, imageUser);
  }

  async #copy(from: string | undefined, words: readonly string[]): Promise<void> {
    const target = this.#place(words[words.length - 1]);
    const intoFolder = words[words.length - 1].endsWith('/');
    for (const source of words.slice(0, -1)) {
      if (from === undefined) await this.#copyFromContext(source, target, intoFolder);
      else {
        const stage = this.#others.get(from);
        if (stage === undefined) throw new SyntaxError(`there is no stage ${from}`);
        await cp(stage.#place(source), target, { recursive: true, verbatimSymlinks: true });
      }
    }
    if (isRoot()) await giveAway(target);
  }

  async #copyFromContext(source: string, target: string, intoFolder: boolean): Promise<void> {
    const found = this.#contextFiles.filter((file) => file === source || file.startsWith(`${source}/`));
    if (found.length === 0) throw new SyntaxError(`COPY ${source}: there is no such file in the build context`);
    for (const file of found) {
      const isFile = file === source;
      const name = isFile ? basename(file) : file.slice(source.length + 1);
      const place = isFile && !intoFolder ? target : join(target, name);
      await mkdir(dirname(place), { recursive: true });
      await copyFile(join(this.#options.context, file), place);
    }
  }

  async #execute(text: string): Promise<void> {
    if (/(^|\s)\//.test(text)) throw new SyntaxError(`RUN ${text}: names a file by its whole path`);
    const home = this.#place('/tmp');
    const network = Object.entries(process.env).filter(([name]) => networkVariables.test(name));
    const environment: Record<string, string> = {
      ...(Object.fromEntries(network) as Record<string, string>),
      ...(await npmNetwork()),
      ...this.#environment,
      PATH: this.#options.path,
      HOME: home,
      TMPDIR: home,
    };
    const directory = this.#place('.');
    const [file, ...args] = unprivileged(['sh', '-c', text], { directory, environment });
    await promisify(execFile)(file, args, { maxBuffer: outputBytesMax, timeout: stepMilliseconds });
  }
}

function inExecForm(text: string): string[] {
  const words = execForm(text);
  // A shell in between would be process 1, and keep signals to itself.
  if (words === null) throw new SyntaxError(`${text} is not in the exec form`);
  return words;
}

/** Gives files that root copied to the user who runs the steps. */
async function giveAway(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  await chown(path, imageUser, imageUser);
  if (!(await stat(path)).isDirectory()) return;
  for (const name of await readdir(path)) await giveAway(join(path, name));
}
