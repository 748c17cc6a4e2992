/**
 * Base of all errors of production code. The code is stable and unique in the whole program; what it means and what to do about it stands in the package's
 * `error-table.ts`, of which docs/errors.md is made.
 */
export abstract class CodedError<Code extends string = string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Code of an error, of ours or of the system, or else of its cause; for log lines that have the message alone. */
export function codeOf(error: unknown): string | undefined {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  const below = (Object(cause) as { code?: unknown }).code;
  return typeof below === 'string' ? below : undefined;
}

/** Text of one code in docs/errors.md. */
export interface ErrorText {
  /** The message, with NAMES for what differs; or the kinds of messages. */
  readonly says: string;
  /** The event after which it is thrown. */
  readonly thrownWhen: string;
  /** Remedy: what an operator or a user does about it. */
  readonly remedy: string;
  /** Place where it surfaces: exit code, log line, reason code to the client, answer over HTTP. */
  readonly surfaces: string;
}

/** Every code of every class, by class: `satisfies ErrorTable<{ StoreError: StoreError }>` makes it complete. */
export type ErrorTable<Classes extends Record<string, CodedError>> = {
  readonly [Name in keyof Classes]: Readonly<Record<Classes[Name]['code'], ErrorText>>;
};
