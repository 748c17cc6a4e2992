/** The messages of a client in SCRAM (RFC 5802, section 7), as text of `name=value` with commas between. */

/** No name, nonce or proof is longer; what is longer is no message. */
const messageBytesMax = 2048;
const nonceMin = 8;

export interface ClientFirst {
  /** Header about channel binding, `n,,`: repeated in base64 in the client's last message. */
  readonly header: string;
  readonly userName: string;
  readonly nonce: string;
  /** The message without the header, of which proofs are made. */
  readonly bare: string;
}

export interface ClientFinal {
  /** In base64. */
  readonly channelBinding: string;
  readonly nonce: string;
  readonly proof: Buffer;
  /** The message without the proof. */
  readonly withoutProof: string;
}

/** A text says what is wrong. */
export function readClientFirst(data: Buffer): ClientFirst | string {
  const text = textOf(data);
  if (text === null) return 'the first message is no text of a length that makes sense';
  // `y`: it could bind to the channel and believes that the server cannot, which is right. An authorization identity (`a=`) is not supported.
  const match = /^((?:n|y),,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/.exec(text);
  if (match === null) {
    if (text.startsWith('p=')) return 'channel binding is not supported';
    return 'the first message is not n,,n=NAME,r=NONCE';
  }
  const [, header, bare, name, nonce] = match;
  if (bare.startsWith('m=')) return 'an extension that must be understood';
  if (nonce.length < nonceMin) return `a nonce of fewer than ${nonceMin} characters`;
  const userName = nameOf(name);
  return userName === null ? 'a name in which = stands for itself' : { header, userName, nonce, bare };
}

/** A text says what is wrong. */
export function readClientFinal(data: Buffer): ClientFinal | string {
  const text = textOf(data);
  const match = text === null ? null : /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/]+={0,2})$/.exec(text);
  if (match === null) return 'the last message is not c=BINDING,r=NONCE,p=PROOF';
  const [, withoutProof, channelBinding, nonce, proof] = match;
  return { channelBinding, nonce, proof: Buffer.from(proof, 'base64'), withoutProof };
}

function textOf(data: Buffer): string | null {
  if (data.length === 0 || data.length > messageBytesMax) return null;
  const text = data.toString('utf8');
  return Buffer.byteLength(text) === data.length ? text : null;
}

/** `=2C` is a comma and `=3D` an equals sign; no other `=` may be there. Null: one is. */
function nameOf(name: string): string | null {
  if (/=(?!2C|3D)/.test(name)) return null;
  return name.replace(/=2C/g, ',').replace(/=3D/g, '=');
}
