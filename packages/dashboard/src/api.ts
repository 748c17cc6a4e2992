/** The key of the person at the page, for as long as its tab is open. */
const place = 'dunlin.key';

export const storedKey = (): string | null => sessionStorage.getItem(place);
export const storeKey = (key: string): void => sessionStorage.setItem(place, key);
export const forgetKey = (): void => sessionStorage.removeItem(place);

/** Refusal of a request, in the words of the node. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.name = 'Refusal';
    this.status = status;
  }
}

export interface Call {
  method?: 'GET' | 'POST' | 'DELETE';
  query?: Readonly<Record<string, string | number | undefined>>;
  body?: unknown;
  signal?: AbortSignal;
}

let whenSignedOut: () => void = () => undefined;

/** Sets what happens when the node does not take the key any more. */
export function onSignedOut(then: () => void): void {
  whenSignedOut = then;
}

/** Sends a request with the key; the answer is still to be read. @throws Refusal */
export async function open(path: string, { method = 'GET', query = {}, body, signal }: Call = {}): Promise<Response> {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') words.set(name, `${value}`);
  const headers: Record<string, string> = { authorization: `Bearer ${storedKey() ?? ''}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const url = `/api/v1${path}${words.size > 0 ? `?${words}` : ''}`;
  let answer: Response;
  try {
    answer = await fetch(url, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Refusal(0, 'The node does not answer.');
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) {
    forgetKey();
    whenSignedOut();
  }
  throw new Refusal(answer.status, problem.detail ?? `The node answers ${answer.status}.`);
}

/** Asks the administration API. @throws Refusal */
export async function ask<Answer>(path: string, call: Call = {}): Promise<Answer> {
  return (await open(path, call)).json();
}

export const inPath = (name: string): string => encodeURIComponent(name);

/** Entry of `incomplete`: a node whose part is missing in an answer. */
export interface Missing {
  node: string;
  reason: string;
}
