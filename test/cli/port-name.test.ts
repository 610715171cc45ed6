import { expect, test } from 'vitest';
import { parsePortName, parseTcpAddress, parseWifiNetwork } from '../../src/cli/ports/port-name.ts';

test.each([
  ['/dev/ttyUSB0', { kind: 'serial', path: '/dev/ttyUSB0' }],
  ['COM3', { kind: 'serial', path: 'COM3' }],
  ['tcp://127.0.0.1:5555', { kind: 'tcp', uart: { host: '127.0.0.1', port: 5555 } }],
  [
    'tcp://127.0.0.1:5555?control=5556',
    { kind: 'tcp', uart: { host: '127.0.0.1', port: 5555 }, control: { host: '127.0.0.1', port: 5556 } },
  ],
  ['tcp://[::1]:5555', { kind: 'tcp', uart: { host: '::1', port: 5555 } }],
  ['rfc2217://station:4000', { kind: 'rfc2217', address: { host: 'station', port: 4000 }, options: {} }],
  [
    'rfc2217://[::1]:4000?ign_set_control&poll_modem&logging=debug&timeout=1.5',
    {
      kind: 'rfc2217',
      address: { host: '::1', port: 4000 },
      options: { ignoreControlAnswers: true, answerMs: 1500 },
    },
  ],
  ['virtual:esp32', { kind: 'virtual', chip: 'esp32', wiring: 'uart' }],
  ['virtual:ESP32-S3@a@b.bin', { kind: 'virtual', chip: 'esp32s3', wiring: 'uart', file: 'a@b.bin' }],
  ['virtual:esp32c3+usb', { kind: 'virtual', chip: 'esp32c3', wiring: 'usb-serial-jtag' }],
])('%s', (text, name) => {
  expect(parsePortName(text)).toEqual(name);
});

test.each([
  '',
  ' ',
  'http://host:80',
  'tcp://',
  'tcp://host',
  'tcp://host:99999',
  'rfc2217://',
  'rfc2217://host',
  'rfc2217://host:4000?timeout=soon',
  'rfc2217://host:4000?timeout=0',
  'rfc2217://host:4000?control=4001',
  'virtual:',
  'virtual:esp8266',
  'virtual:esp32+usb',
])('"%s" names no port', (text) => {
  expect(() => parsePortName(text)).toThrow(expect.objectContaining({ name: 'InputError' }));
});

test('a port alone is one of this machine', () => {
  expect(parseTcpAddress('5555')).toEqual({ host: '127.0.0.1', port: 5555 });
});

test('a password may hold colons, and be empty', () => {
  expect(parseWifiNetwork('home:a:b')).toEqual({ ssid: 'home', password: 'a:b' });
  expect(parseWifiNetwork('home')).toEqual({ ssid: 'home', password: '' });
});
