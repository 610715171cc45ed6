import { expect, test } from 'vitest';
import { entrySequences, type ResetSequence, restartSequence, runResetSequence } from '#device/reset.ts';

const BRIDGE = { usbVendorId: 0x10c4, usbProductId: 0xea60 };
const CP2102C = { usbVendorId: 0x10c4, usbProductId: 0xea64 };
const USB_JTAG = { usbVendorId: 0x303a, usbProductId: 0x1001 };

const show = (sequence: ResetSequence): string =>
  sequence.map(({ dtr, rts, waitMs }) => `${Number(dtr)}${Number(rts)}${waitMs > 0 ? `+${waitMs}` : ''}`).join(' ');

test('classic: EN low 100 ms, then the boot pin low 50 or 550 ms', () => {
  expect(entrySequences('classic', BRIDGE).map(show)).toEqual(['01+100 11 10+50 00', '01+100 11 10+550 00']);
});

test('tight: straight from EN to the boot pin', () => {
  expect(entrySequences('tight', BRIDGE).map(show)[0]).toBe('00 11 01+100 10+50 00');
});

test('USB-Serial/JTAG has its own, by its ids or when told', () => {
  const usb = '00+100 10+100 11 01+100 00';
  expect(entrySequences('auto', USB_JTAG).map(show)).toEqual([usb]);
  expect(entrySequences('usb', {}).map(show)).toEqual([usb]);
});

test('auto tries tight and classic in turn, the long ones last', () => {
  expect(entrySequences('auto', {}).map(show)).toEqual([
    '00 11 01+100 10+50 00',
    '01+100 11 10+50 00',
    '00 11 01+100 10+550 00',
    '01+100 11 10+550 00',
  ]);
});

test('a CP2102C keeps DTR asserted', () => {
  for (const sequence of entrySequences('auto', CP2102C))
    expect(sequence.at(-1)).toMatchObject({ dtr: true, rts: false });
});

test('none is none', () => {
  expect(entrySequences('none', BRIDGE)).toEqual([]);
});

test('a restart pulls EN with the boot pin free', () => {
  expect(show(restartSequence(BRIDGE))).toBe('00 01+100 00');
  expect(show(restartSequence(USB_JTAG))).toBe('00 01+200 00+200');
});

test('the runner says both lines at each step and waits between', async () => {
  const done: string[] = [];
  await runResetSequence(
    restartSequence(BRIDGE),
    async (dtr, rts) => void done.push(`${dtr} ${rts}`),
    async (ms) => void done.push(`${ms} ms`),
  );
  expect(done).toEqual(['false false', 'false true', '100 ms', 'false false']);
});
