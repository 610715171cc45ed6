import { ModelClock } from '#model-clock.ts';
import { ResetCircuit, type Wiring } from '#sim/board/reset-circuit.ts';
import { describe, expect, test } from 'vitest';

type Move = [dtr: 0 | 1, rts: 0 | 1, wait: number];

/** Plays moves; the log has `hold` and `download` or `normal` for each release. */
async function play(wiring: Wiring, moves: Move[], enDelay = 2): Promise<string[]> {
  const clock = new ModelClock();
  const log: string[] = [];
  const circuit = new ResetCircuit({
    clock,
    wiring,
    enDelay,
    onHold: () => log.push('hold'),
    onRelease: (low) => log.push(low ? 'download' : 'normal'),
  });
  for (const [dtr, rts, wait] of moves) {
    circuit.set({ dtr: dtr === 1, rts: rts === 1 });
    await clock.advance(wait);
  }
  return log;
}

/** Two calls to the kernel, as a browser moves two lines: set first, clear 0.1 ms later. */
const browser = (from: [0 | 1, 0 | 1], to: [0 | 1, 0 | 1], wait: number): Move[] => [
  [(from[0] | to[0]) as 0 | 1, (from[1] | to[1]) as 0 | 1, 0.1],
  [...to, wait],
];

describe('the two transistors', () => {
  test.each<{ dtr: 0 | 1; rts: 0 | 1; log: string[] }>([
    { dtr: 0, rts: 0, log: [] },
    { dtr: 1, rts: 1, log: [] },
    { dtr: 1, rts: 0, log: [] },
    { dtr: 0, rts: 1, log: ['hold'] },
  ])('DTR $dtr RTS $rts: $log', async ({ dtr, rts, log }) => {
    expect(await play('uart', [[dtr, rts, 10]])).toEqual(log);
  });

  test('the classic sequence ends in download mode', async () => {
    const moves = [...browser([1, 1], [0, 1], 100), ...browser([0, 1], [1, 0], 50), ...browser([1, 0], [0, 0], 10)];
    expect(await play('uart', moves)).toEqual(['hold', 'download']);
  });

  test('without a capacitor at EN the moment between the two calls lets the chip start normally', async () => {
    const moves = [...browser([1, 1], [0, 1], 100), ...browser([0, 1], [1, 0], 50), ...browser([1, 0], [0, 0], 10)];
    expect(await play('uart', moves, 0)).toEqual(['hold', 'normal']);
  });

  test('a host that moves both lines at once gets through without a capacitor', async () => {
    expect(
      await play(
        'uart',
        [
          [0, 1, 100],
          [1, 0, 50],
          [0, 0, 10],
        ],
        0,
      ),
    ).toEqual(['hold', 'download']);
  });

  test('a pulse of RTS alone restarts normally', async () => {
    expect(
      await play('uart', [
        [0, 1, 100],
        [0, 0, 50],
      ]),
    ).toEqual(['hold', 'normal']);
  });

  test('a release that is too short for EN to rise does not start the chip', async () => {
    expect(
      await play('uart', [
        [0, 1, 100],
        [0, 0, 0.5],
        [0, 1, 100],
      ]),
    ).toEqual(['hold', 'hold']);
  });

  test('the capacitor that is larger than the wait of the classic sequence gives a normal boot', async () => {
    const moves: Move[] = [
      [0, 1, 100],
      [1, 0, 50],
      [0, 0, 200],
    ];
    expect(await play('uart', moves, 60)).toEqual(['hold', 'normal']);
    expect(
      await play(
        'uart',
        [
          [0, 1, 100],
          [1, 0, 550],
          [0, 0, 200],
        ],
        60,
      ),
    ).toEqual(['hold', 'download']);
  });
});

describe('USB-Serial/JTAG', () => {
  test('its sequence ends in download mode', async () => {
    const moves: Move[] = [
      [0, 0, 100],
      [1, 0, 100],
      [1, 1, 0],
      [0, 1, 0],
      [0, 1, 100],
      [0, 0, 10],
    ];
    expect(await play('usb-serial-jtag', moves)).toEqual(['hold', 'download']);
  });

  test('RTS alone restarts normally', async () => {
    expect(
      await play('usb-serial-jtag', [
        [0, 1, 200],
        [0, 0, 10],
      ]),
    ).toEqual(['hold', 'normal']);
  });

  test('the flag for download mode goes when both lines rest', async () => {
    expect(
      await play('usb-serial-jtag', [
        [1, 0, 10],
        [0, 0, 10],
        [0, 1, 10],
      ]),
    ).toEqual(['hold', 'normal']);
  });
});

test('a USB-OTG port has no lines to the chip', async () => {
  expect(
    await play('usb-otg', [
      [0, 1, 100],
      [1, 0, 50],
      [0, 0, 10],
    ]),
  ).toEqual([]);
});
