import { request } from 'node:http';

/** Answer of the administration API. */
export interface ApiAnswer {
  status: number;
  type: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  body: any;
}

export interface ApiCall {
  method?: string;
  key?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Asks with any headers, Host too. */
export function ask(
  base: string,
  path: string,
  { method = 'GET', key, body, headers = {} }: ApiCall = {},
): Promise<ApiAnswer> {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const all: Record<string, string | number> = { 'content-length': Buffer.byteLength(text) };
  if (text !== '') all['content-type'] = 'application/json';
  if (key !== undefined) all.authorization = `Bearer ${key}`;
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(path, base),
      { method, headers: { ...all, ...headers }, agent: false },
      (response) => {
        let said = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          said += part;
        });
        response.on('error', reject).on('end', () => {
          const { 'content-type': type = '' } = response.headers;
          const parsed = /json/.test(type) ? JSON.parse(said) : said;
          resolve({ status: response.statusCode ?? 0, type, headers: response.headers, body: parsed });
        });
      },
    );
    asked.on('error', reject);
    asked.end(text);
  });
}
