import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RootManifest } from './npm-package.ts';
import { productionPackages } from './production-lock.ts';
import { run } from './program-run.ts';

/**
 * Every package from outside that runs in production, those that are bundled included, as CycloneDX in JSON. npm writes it, from a lock file that has just
 * these.
 */
export async function billOfMaterials(
  { version, license, description }: RootManifest,
  scratch: string,
): Promise<string> {
  const { direct, locked } = productionPackages();
  const manifest = { name: 'dunlin', version, license, description, dependencies: direct };
  const lock = { ...manifest, lockfileVersion: 3, packages: { '': manifest, ...locked } };
  await mkdir(scratch, { recursive: true });
  await writeFile(join(scratch, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(scratch, 'package-lock.json'), JSON.stringify(lock));
  try {
    const words = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
    return await run(scratch, 'npm', words);
  } finally {
    await rm(scratch, { recursive: true });
  }
}
