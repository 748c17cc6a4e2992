/**
 * A URL without what must not be shown: `redis://user:***@host`, `nats://***@host`. Up to the last `@`, because a secret may hold any character, also
 * one that ought to be escaped.
 */
export function withoutSecrets(url: string): string {
  return url.replace(/^(\s*[A-Za-z+]+:\/\/)(.*)@/, (_, scheme: string, credentials: string) => {
    const colon = credentials.indexOf(':');
    return `${scheme}${colon > 0 ? `${credentials.slice(0, colon)}:` : ''}***@`;
  });
}
