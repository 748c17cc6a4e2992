/** Client identifiers that are tied to the names that clients have proved. */

/** `user`: the identifier is the user name; `prefix`: it begins with the user name and the separator, and goes on. */
export interface ClientIdPolicy {
  mode: 'any' | 'user' | 'prefix';
  separator: string;
}

/** The identifier that the server assigns. `fallback`: unique; null: the client has no name, and can have none. */
export function assignedClientId(
  { mode, separator }: ClientIdPolicy,
  user: string | null,
  fallback: string,
): string | null {
  if (mode === 'any') return fallback;
  if (user === null || user === '') return null;
  return mode === 'user' ? user : `${user}${separator}${fallback}`;
}

/** Reason of a refusal: what was given and what is allowed; null: the identifier may be used. */
export function clientIdFault(
  { mode, separator }: ClientIdPolicy,
  user: string | null,
  clientId: string,
): string | null {
  if (mode === 'any') return null;
  if (user === null || user === '') return 'a client without a user name has no client identifier here';
  if (mode === 'user') return clientId === user ? null : 'the client identifier is not the user name';
  const prefix = `${user}${separator}`;
  if (clientId.length > prefix.length && clientId.startsWith(prefix)) return null;
  return `the client identifier does not begin with the user name and "${separator}"`;
}
