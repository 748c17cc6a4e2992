/**
 * A URL without what must not be shown: `redis://user:***@host`, `nats://***@host`, `https://host/keys?***`. Up to the
 * last `@`, because a secret may hold any character, also one that ought to be escaped.
 */
export function withoutSecrets(url: string): string {
  const [, scheme = '', credentials = '', rest = url] = /^(\s*[A-Za-z+]+:\/\/)(?:(.*)@)?(.*)$/s.exec(url) ?? [];
  const colon = credentials.indexOf(':');
  const shown = credentials === '' ? '' : `${colon > 0 ? `${credentials.slice(0, colon)}:` : ''}***@`;
  return `${scheme}${shown}${rest.replace(/\?.+/s, '?***')}`;
}
