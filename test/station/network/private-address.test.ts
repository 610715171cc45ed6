import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boardAddress, isLoopback, isPrivate } from '../../../src/station/network/private-address.ts';

test.each<[string, boolean, boolean]>([
  ['127.0.0.1', true, true],
  ['127.255.255.254', true, true],
  ['10.0.0.0', true, false],
  ['172.15.255.255', false, false],
  ['172.16.0.1', true, false],
  ['172.32.0.0', false, false],
  ['192.168.255.255', true, false],
  ['192.169.0.0', false, false],
  ['169.254.169.254', true, false],
  ['100.64.0.1', false, false],
  ['0.0.0.0', false, false],
  ['224.0.0.251', false, false],
  ['255.255.255.255', false, false],
  ['8.8.8.8', false, false],
  ['::1', true, true],
  ['::', false, false],
  ['fc00::1', true, false],
  ['fdff:ffff::1', true, false],
  ['fe80::1', true, false],
  ['fe80::1%eth0', true, false],
  ['febf::1', true, false],
  ['fec0::1', false, false],
  ['2001:db8::1', false, false],
  ['::ffff:127.0.0.1', true, true],
  ['::ffff:192.168.1.1', true, false],
  ['::ffff:c0a8:101', true, false],
  ['::ffff:8.8.8.8', false, false],
  // Other ways to write an IPv4 address into an IPv6 one are routed: they may end anywhere.
  ['::192.168.1.1', false, false],
  ['64:ff9b::192.168.1.1', false, false],
  ['2002:c0a8:101::1', false, false],
  // What some programs take for an address.
  ['192.168.1', false, false],
  ['192.168.1.1.1', false, false],
  ['010.0.0.1', false, false],
  ['0x7f.0.0.1', false, false],
  ['2130706433', false, false],
  ['127.1', false, false],
  ['localhost', false, false],
  ['192.168.1.1.nip.io', false, false],
  ['192.168.1.1 ', false, false],
  ['', false, false],
])('%j: private %s, loopback %s', (address, expectPrivate, expectLoopback) => {
  expect([isPrivate(address), isLoopback(address)]).toEqual([expectPrivate, expectLoopback]);
});

/** First, last: what the registries say, as numbers. */
const RANGES = [
  [0x0a00_0000, 0x0aff_ffff],
  [0x7f00_0000, 0x7fff_ffff],
  [0xa9fe_0000, 0xa9fe_ffff],
  [0xac10_0000, 0xac1f_ffff],
  [0xc0a8_0000, 0xc0a8_ffff],
] as const;

const dotted = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');

test('an IPv4 address is private exactly inside those ranges, in both of its spellings', () => {
  const near = fc.constantFrom(...RANGES.flat()).chain((edge) => fc.integer({ min: edge - 2, max: edge + 2 }));
  const addresses = fc.oneof(near, fc.integer({ min: 0, max: 0xffff_ffff }));
  fc.assert(
    fc.property(addresses, (address) => {
      const expected = RANGES.some(([first, last]) => address >= first && address <= last);
      const text = dotted(address);
      const hex = `::ffff:${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}`;
      expect([isPrivate(text), isPrivate(`::ffff:${text}`), isPrivate(hex)]).toEqual([expected, expected, expected]);
    }),
  );
});

test('an IPv6 address is private by its first bits', () => {
  const group = fc.integer({ min: 0, max: 0xffff });
  fc.assert(
    fc.property(fc.tuple(fc.integer({ min: 1, max: 0xffff }), group, group), ([first, second, last]) => {
      const expected = first >> 9 === 0xfc >> 1 || first >> 6 === 0xfe80 >> 6;
      expect(isPrivate(`${first.toString(16)}:${second.toString(16)}::1:${last.toString(16)}`)).toBe(expected);
    }),
  );
});

test.each([
  ['192.168.1.57', { host: '192.168.1.57', port: 80 }],
  ['127.0.0.2:8080', { host: '127.0.0.2', port: 8080 }],
  ['[fd00::57]:8080', { host: 'fd00::57', port: 8080 }],
  ['8.8.8.8', undefined],
  ['[2001:db8::1]', undefined],
  ['999.168.1.1', undefined],
  ['192.168.1.57:99999', undefined],
  ['board.local', undefined],
])('%s is the address of a board, or none', (text, expected) => {
  expect(boardAddress(text)).toEqual(expected);
});
