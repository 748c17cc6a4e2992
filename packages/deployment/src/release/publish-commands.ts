import type { Release } from './release.ts';

/** Destination of a release. */
export interface Destination {
  /** The name of the image without its tag, `registry.example.com/dunlin`. */
  readonly image: string;
  /** The registry for charts, `oci://registry.example.com/charts`. */
  readonly charts: string;
}

/**
 * Commands that publish a release, in this order: programs that hold the keys of whoever is signed in to npm, the
 * registries and the repository. The tag comes last: a version that is tagged is out.
 */
export function publishCommands(release: Release, { image, charts }: Destination): readonly (readonly string[])[] {
  const { version } = release;
  return [
    ['npm', 'publish', release.tarball, '--access', 'public'],
    [
      'docker',
      'build',
      '--tag',
      `${image}:${version}`,
      '--label',
      `org.opencontainers.image.version=${version}`,
      release.imageContext,
    ],
    ['docker', 'push', `${image}:${version}`],
    ['helm', 'push', release.chart, charts],
    ['git', 'tag', '--annotate', `v${version}`, '--file', release.notes, '--cleanup', 'verbatim'],
    ['git', 'push', 'origin', `v${version}`],
  ];
}
