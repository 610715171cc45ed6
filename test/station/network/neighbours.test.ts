import { expect, test } from 'vitest';
import { parseArpOutput, parseLinuxTable, readNeighbours } from '../../../src/station/network/neighbours.ts';

test('the table of Linux is read, without what is not complete', () => {
  const table = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.57     0x1         0x2         7c:df:a1:00:3f:01     *        wlan0
192.168.1.58     0x1         0x0         00:00:00:00:00:00     *        wlan0
192.168.1.59     0x1         0x6         7C:DF:A1:00:3F:02     *        wlan0
192.168.1.60     0x1         0x2         00:00:00:00:00:00     *        wlan0
192.168.1.61     0x1         0x0         7c:df:a1:00:3f:03     *        wlan0
`;
  expect(parseLinuxTable(table)).toEqual([
    { address: '192.168.1.57', mac: '7c:df:a1:00:3f:01' },
    { address: '192.168.1.59', mac: '7c:df:a1:00:3f:02' },
  ]);
});

test.each<[string, string, { address: string; mac: string }[]]>([
  [
    'macOS',
    `? (192.168.1.57) at 7c:df:a1:0:3f:1 on en0 ifscope [ethernet]
? (192.168.1.58) at (incomplete) on en0 ifscope [ethernet]
? (224.0.0.251) at 1:0:5e:0:0:fb on en0 ifscope permanent [ethernet]
board (192.168.1.59) at 7c:df:a1:0:3f:2 on en0 ifscope permanent [ethernet]`,
    [
      { address: '192.168.1.57', mac: '7c:df:a1:00:3f:01' },
      { address: '192.168.1.59', mac: '7c:df:a1:00:3f:02' },
    ],
  ],
  [
    'FreeBSD',
    '? (192.168.1.57) at 7c:df:a1:00:3f:01 on em0 expires in 1193 seconds [ethernet]',
    [{ address: '192.168.1.57', mac: '7c:df:a1:00:3f:01' }],
  ],
  [
    'Windows, in any language',
    '\r\nSchnittstelle: 192.168.1.5 --- 0x4\r\n  Internetadresse       Physische Adresse     Typ\r\n' +
      '  192.168.1.57          7c-df-a1-00-3f-01     dynamisch \r\n' +
      '  192.168.1.255         ff-ff-ff-ff-ff-ff     statisch  \r\n' +
      '  224.0.0.22            01-00-5e-00-00-16     statisch  \r\n',
    [{ address: '192.168.1.57', mac: '7c:df:a1:00:3f:01' }],
  ],
  ['nothing', 'arp: command failed', []],
])('the output of arp is read: %s', (_system, text, expected) => {
  expect(parseArpOutput(text)).toEqual(expected);
});

test('the table of this computer can be asked for, whatever is in it', async () => {
  for (const { address, mac } of await readNeighbours()) {
    expect(address).toMatch(/^\d+(\.\d+){3}$/);
    expect(mac).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
  }
});
