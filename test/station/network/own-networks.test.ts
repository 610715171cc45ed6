import { type NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { hostsOf, ownAddressFor, ownNetworks, sizeOf } from '../../../src/station/network/own-networks.ts';
import { scannedAddresses } from '../../../src/station/network/subnet-scan.ts';

const has = (cidr: string, internal = false): NetworkInterfaceInfo =>
  ({
    address: cidr.split('/')[0]!,
    netmask: '',
    family: cidr.includes(':') ? 'IPv6' : 'IPv4',
    mac: '7c:df:a1:00:00:01',
    internal,
    cidr,
    ...(cidr.includes(':') && { scopeid: 0 }),
  }) as NetworkInterfaceInfo;

const INTERFACES = {
  lo: [has('127.0.0.1/8', true)],
  eth0: [has('192.168.1.5/24'), has('fd00::5/64')],
  wlan0: [has('10.1.2.3/22')],
  vpn0: [has('10.0.0.9/8')],
  wan0: [has('203.0.113.7/24')],
  down0: undefined,
};
const NETWORKS = ownNetworks(INTERFACES);

test('own networks are the private ones of IPv4, without loopback', () => {
  expect(NETWORKS).toEqual([
    { address: '192.168.1.5', network: '192.168.1.0/24', interface: 'eth0' },
    { address: '10.1.2.3', network: '10.1.0.0/22', interface: 'wlan0' },
    { address: '10.0.0.9', network: '10.0.0.0/8', interface: 'vpn0' },
  ]);
});

test.each<[string, string | undefined]>([
  ['192.168.1.57', '192.168.1.5'],
  ['192.168.2.57', undefined],
  ['10.1.1.255', '10.1.2.3'],
  ['10.9.9.9', '10.0.0.9'],
  ['172.16.0.1', undefined],
  ['127.0.0.7', '127.0.0.1'],
  ['::1', undefined],
  ['fd00::57', undefined],
])('a board at %s is told %s', (board, expected) => {
  expect(ownAddressFor(board, NETWORKS)).toBe(expected);
});

test.each<[string, number, string[]]>([
  ['192.168.1.0/30', 4, ['192.168.1.1', '192.168.1.2']],
  ['192.168.1.4/31', 2, []],
  ['192.168.1.4/32', 1, []],
  ['192.168.255.252/30', 4, ['192.168.255.253', '192.168.255.254']],
])('the hosts of %s', (network, size, hosts) => {
  expect(sizeOf(network)).toBe(size);
  expect([...hostsOf(network)]).toEqual(hosts);
});

describe('a scan', () => {
  const scanned = (near?: string, ports = [80]): string[] => [...scannedAddresses(NETWORKS, { ports, near })];

  test('covers all networks of up to 1024 addresses, without the own ones', () => {
    const all = scanned();
    expect(all).toHaveLength(253 + 1021);
    expect(new Set(all).size).toBe(all.length);
    expect(all).toContain('192.168.1.57');
    expect(all).not.toContain('192.168.1.5');
    expect(all).not.toContain('10.1.2.3');
  });

  test('covers the network of the board alone, with its port', () => {
    const all = scanned('192.168.1.57', [8080, 80]);
    expect(all).toHaveLength(2 * 253);
    expect(all.slice(0, 2)).toEqual(['192.168.1.1:8080', '192.168.1.1']);
  });

  test('leaves large networks alone even when the board was there', () => {
    expect(scanned('10.200.0.1')).toEqual([]);
  });
});
