import type { ScramUsers } from './scram-exchange.ts';
import { hmac, parseScramVerifier, type ScramVerifier } from './scram-verifier.ts';

/** No key of a client has this SHA-256 that anybody could find. */
const unreachableKey = Buffer.alloc(32);

/**
 * Users of a password file for SCRAM; null when none of them can use it. A user who is not there, or has another kind of hash, is answered with a salt that is made of the name and
 * of the first verifier of the file: the same at each try, at each worker and at each node with the same file, as that of a user who is there.
 *
 * @param users the text of each user's hash
 */
export function scramUsersOf(users: ReadonlyMap<string, string>): ScramUsers | null {
  const model = firstVerifier(users);
  if (model === null) return null;
  return {
    find(userName) {
      const verifier = verifierOf(users.get(userName));
      if (verifier !== null) return { verifier, isKnown: true };
      const salt = hmac(model.serverKey, `salt of ${userName}`).subarray(0, model.salt.length);
      return { verifier: { ...model, salt, storedKey: unreachableKey }, isKnown: false };
    },
  };
}

function firstVerifier(users: ReadonlyMap<string, string>): ScramVerifier | null {
  for (const text of users.values()) {
    const verifier = verifierOf(text);
    if (verifier !== null) return verifier;
  }
  return null;
}

function verifierOf(text: string | undefined): ScramVerifier | null {
  const verifier = text === undefined ? null : parseScramVerifier(text);
  return typeof verifier === 'string' ? null : verifier;
}
