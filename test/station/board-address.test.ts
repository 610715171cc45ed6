import { describe, expect, test } from 'vitest';
import { privateAddress } from '../../src/station/boards/board-address.ts';

describe('addresses that the station speaks to', () => {
  test.each([
    ['192.168.1.57', '192.168.1.57'],
    ['192.168.1.57:80', '192.168.1.57'],
    ['10.0.0.1:8080', '10.0.0.1:8080'],
    ['172.31.255.255', '172.31.255.255'],
    ['169.254.3.4', '169.254.3.4'],
    ['127.0.0.2:9000', '127.0.0.2:9000'],
    ['[::1]:80', '[::1]'],
    ['[FE80::1]', '[fe80::1]'],
    ['[fd00::1]:81', '[fd00::1]:81'],
  ])('%s', (text, address) => expect(privateAddress(text)).toBe(address));

  test.each([
    '8.8.8.8',
    '172.32.0.1',
    '192.169.0.1',
    '0.0.0.0',
    '255.255.255.255',
    '224.0.0.251',
    '192.168.1.256',
    '192.168.1',
    '0x7f.0.0.1',
    '017700000001',
    '2130706433',
    'localhost',
    '[2001:db8::1]',
    '[::ffff:8.8.8.8]',
    '::1',
    '192.168.1.57:0',
    '192.168.1.57:70000',
    '192.168.1.57:',
    '',
  ])('not %s', (text) => expect(privateAddress(text)).toBeUndefined());
});
