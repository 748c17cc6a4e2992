import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../repository-root.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name: string };
}

/** The licences of packages that are copied into ours, which ask that their text goes with them. Without a text: what the manifest says. */
export function licenceTexts(names: readonly string[]): string {
  return names
    .map((name) => {
      const directory = join(repositoryRoot, 'node_modules', name);
      const manifest: Manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
      const author = typeof manifest.author === 'object' ? manifest.author.name : manifest.author;
      const texts = readdirSync(directory)
        .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
        .map((file) => readFileSync(join(directory, file), 'utf8').trim());
      const body = texts.length > 0 ? texts.join('\n\n') : `${manifest.license}, ${author ?? 'its authors'}`;
      return `${name} ${manifest.version} (${manifest.license})\n\n${body}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}
