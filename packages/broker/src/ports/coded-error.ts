/** The errors of production that have a name of their own: each says by a code which of them it is, also where its class is not known any more. */
export abstract class CodedError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}
