import type {
  AuthenticationExchange,
  AuthenticationResult,
  Authenticator,
  Credentials,
} from './ports/authenticator.ts';

/** Everybody may enter, under the user name that they give. What a listener without authentication uses. */
export class AnonymousAuthenticator implements Authenticator {
  authenticate(credentials: Credentials): AuthenticationResult {
    return { kind: 'accept', userName: credentials.userName };
  }

  exchange(): AuthenticationExchange | null {
    return null;
  }
}
