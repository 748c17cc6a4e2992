import { ReasonCode } from '@dunlin/protocol';
import type {
  AuthenticationExchange,
  AuthenticationResult,
  Authenticator,
  Credentials,
} from './ports/authenticator.ts';

/** Bytes of a user name that nobody has checked, and that the connection keeps. */
const userNameBytesMax = 1024;

/** Everybody may enter, under the user name that they give. What a listener without authentication uses. */
export class AnonymousAuthenticator implements Authenticator {
  authenticate(credentials: Credentials): AuthenticationResult {
    const bytes = Buffer.byteLength(credentials.userName ?? '');
    if (bytes > userNameBytesMax) {
      const reason = `a user name of ${bytes} bytes; at most ${userNameBytesMax}`;
      return { kind: 'refuse', reasonCode: ReasonCode.badUserNameOrPassword, reason };
    }
    return { kind: 'accept', userName: credentials.userName };
  }

  exchange(): AuthenticationExchange | null {
    return null;
  }
}
