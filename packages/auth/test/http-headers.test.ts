import { expect, test } from 'vitest';
import { parseHeadersFile } from '../src/http/http-service.ts';

test('a file of headers is read line by line', () => {
  const read = (text: string) => parseHeadersFile({ name: 'headers', text });
  expect(read('# the key\nAuthorization: Bearer a b\r\n\nX-Key:1\n')).toEqual({
    authorization: 'Bearer a b',
    'x-key': '1',
  });
  expect(() => read('x: 1\nAuthorization Bearer')).toThrow('headers:2:1: a line is NAME: VALUE');
});
