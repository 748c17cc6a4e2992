/** CHANGELOG.md has nothing to say about a version; the message says what to write. */
export class ReleaseNotesError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ReleaseNotesError';
  }
}

/**
 * The section of a version in a change log as of Keep a Changelog: what stands between `## [0.2.0] - 2026-12-01` and the next heading of that kind, without the
 * links at the end of the file.
 * @throws ReleaseNotesError
 */
export function releaseNotes(changelog: string, version: string): string {
  const lines = changelog.split('\n');
  const isHeading = (line: string): boolean => /^## /.test(line);
  const named = (line: string): string | undefined => /^## \[?([^\]\s]+)\]?/.exec(line)?.[1];
  const start = lines.findIndex((line) => isHeading(line) && named(line) === version);
  if (start === -1) {
    const others = lines.filter(isHeading).map(named).join(', ');
    throw new ReleaseNotesError(
      `CHANGELOG.md has no section "## [${version}] - YYYY-MM-DD"; it has: ${others || 'none'}`,
    );
  }
  if (!/ - \d{4}-\d{2}-\d{2}$/.test(lines[start])) {
    throw new ReleaseNotesError(
      `CHANGELOG.md:${start + 1}: "${lines[start]}" has no date; "## [${version}] - YYYY-MM-DD"`,
    );
  }
  const length = lines.slice(start + 1).findIndex((line) => isHeading(line) || /^\[[^\]]+\]: /.test(line));
  const section = lines.slice(start + 1, length === -1 ? undefined : start + 1 + length);
  const text = section.join('\n').trim();
  if (text === '') throw new ReleaseNotesError(`CHANGELOG.md:${start + 1}: the section of ${version} is empty`);
  return `${text}\n`;
}
