import { expect, test } from 'vitest';
import { decodeComPort, encodeComPort, encodeSignature } from '../../src/cli/ports/com-port-option.ts';
import { fromHex, toHex } from '../../src/formats/bytes.ts';

// Numbers from RFC 2217, "Com Port Configuration Commands".
test.each([
  ['rate 115200', 1, 115_200, 'fffa2c010001c200fff0'],
  ['a rate with FF in it', 1, 0xffff, 'fffa2c010000fffffffffff0'],
  ['eight bits', 2, 8, 'fffa2c0208fff0'],
  ['no parity', 3, 1, 'fffa2c0301fff0'],
  ['one stop bit', 4, 1, 'fffa2c0401fff0'],
  ['DTR on', 5, 8, 'fffa2c0508fff0'],
  ['the answer to RTS off', 105, 12, 'fffa2c690cfff0'],
  ['the answer to a rate', 101, 921_600, 'fffa2c65000e1000fff0'],
  ['throw away both', 12, 3, 'fffa2c0c03fff0'],
])('%s goes over the line as it should, and is read back', (_, command, value, line) => {
  const encoded = encodeComPort(command, value);
  expect(toHex(encoded)).toBe(line);
  const payload = fromHex(line.slice(6, -4).replaceAll('ffff', 'ff'));
  expect(decodeComPort(payload)).toEqual({ command, value });
});

test.each([
  ['nothing', '', undefined],
  ['a rate without bytes', '01', undefined],
  ['a rate that is cut', '650001c2', undefined],
  ['a rate with four bytes too many (sredird)', '650001c20000000000', { command: 101, value: 115_200 }],
  ['a request without value', '07', { command: 7, value: 0 }],
])('%s', (_, payload, message) => {
  expect(decodeComPort(fromHex(payload))).toEqual(message);
});

test('a signature is text', () => {
  expect(toHex(encodeSignature('Hi'))).toBe('fffa2c644869fff0');
});
