import { FAULT_KINDS, FaultInjector, randomFault, seededRandom } from '#sim/faults.ts';
import { describe, expect, test } from 'vitest';

const ten = Uint8Array.from({ length: 10 }, (_, index) => index);

describe('faults on the line', () => {
  test('turn one bit of one byte, counted over all that passed', () => {
    const faults = new FaultInjector([{ kind: 'flip', direction: 'to-device', at: 12, bit: 0 }]);
    expect([...faults.pass('to-device', ten).bytes]).toEqual([...ten]);
    expect([...faults.pass('to-host', ten).bytes]).toEqual([...ten]);
    expect([...faults.pass('to-device', ten).bytes]).toEqual([0, 1, 3, 3, 4, 5, 6, 7, 8, 9]);
    expect([...faults.pass('to-device', ten).bytes]).toEqual([...ten]);
  });

  test('lose bytes', () => {
    const faults = new FaultInjector([{ kind: 'drop', direction: 'to-host', at: 3, count: 4 }]);
    expect([...faults.pass('to-host', ten).bytes]).toEqual([0, 1, 2, 7, 8, 9]);
  });

  test('double bytes', () => {
    const faults = new FaultInjector([{ kind: 'double', direction: 'to-host', at: 3, count: 2 }]);
    expect([...faults.pass('to-host', ten).bytes]).toEqual([0, 1, 2, 3, 4, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('hold bytes back', () => {
    const faults = new FaultInjector([{ kind: 'stall', direction: 'to-host', at: 3, ms: 700 }]);
    expect(faults.pass('to-host', ten)).toEqual({ bytes: ten, stallMs: 700 });
    expect(faults.pass('to-host', ten)).toEqual({ bytes: ten });
  });

  test('happen together in one piece, each at its own place', () => {
    const faults = new FaultInjector([
      { kind: 'drop', direction: 'to-host', at: 1, count: 2 },
      { kind: 'flip', direction: 'to-host', at: 5, bit: 7 },
    ]);
    expect([...faults.pass('to-host', ten).bytes]).toEqual([0, 3, 4, 0x85, 6, 7, 8, 9]);
  });

  test.each(['unplug', 'hang'] as const)('%s lets through what came before', (kind) => {
    const faults = new FaultInjector([{ kind, direction: 'to-device', at: 4 }]);
    const { bytes, event } = faults.pass('to-device', ten);
    expect([...bytes]).toEqual([0, 1, 2, 3]);
    expect(event).toBe(kind);
    expect(faults.pass('to-device', ten).event).toBeUndefined();
  });
});

test('a power cut hits one flash operation', () => {
  const faults = new FaultInjector([{ kind: 'power-cut', operation: 1, share: 0.25 }]);
  expect([faults.operation(), faults.operation(), faults.operation()]).toEqual([undefined, 0.25, undefined]);
});

test('faults that are still to come are counted, bad sectors are there already', () => {
  const faults = new FaultInjector([
    { kind: 'flip', direction: 'to-device', at: 3, bit: 0 },
    { kind: 'power-cut', operation: 0, share: 0.5 },
    { kind: 'bad-sector', sector: 1 },
  ]);
  expect(faults.pending).toBe(2);
  faults.pass('to-device', ten);
  expect(faults.pending).toBe(1);
  faults.operation();
  expect(faults.pending).toBe(0);
});

test('faults that have not happened can be taken back', () => {
  const faults = new FaultInjector([
    { kind: 'flip', direction: 'to-device', at: 2, bit: 0 },
    { kind: 'power-cut', operation: 0, share: 0.5 },
  ]);
  faults.clear();
  expect([...faults.pass('to-device', ten).bytes]).toEqual([...ten]);
  expect(faults.operation()).toBeUndefined();
});

test('a fault that is added later is counted from then', () => {
  const faults = new FaultInjector();
  faults.pass('to-host', ten);
  faults.operation();
  faults.add({ kind: 'flip', direction: 'to-host', at: 3, bit: 0 });
  faults.add({ kind: 'power-cut', operation: 1, share: 0.5 });
  expect(faults.pending).toBe(2);
  expect([...faults.pass('to-host', ten).bytes]).toEqual([0, 1, 2, 2, 4, 5, 6, 7, 8, 9]);
  expect([faults.operation(), faults.operation()]).toEqual([undefined, 0.5]);
});

test('bad sectors are told', () => {
  expect(new FaultInjector([{ kind: 'bad-sector', sector: 17 }]).badSectors).toEqual([17]);
});

test('random faults lie within the run and are the same for the same seed', () => {
  const run = { toDevice: 5000, toHost: 800, operations: 40, sectors: [16, 30] } as const;
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 200 }, (_, index) =>
      randomFault(FAULT_KINDS[index % FAULT_KINDS.length]!, run, random),
    );
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  for (const fault of draw(7)) {
    if (fault.kind === 'bad-sector') expect(fault.sector).toSatisfy((sector: number) => sector >= 16 && sector < 46);
    else if (fault.kind === 'power-cut') expect(fault.operation).toBeLessThan(40);
    else expect(fault.at).toBeLessThan(fault.direction === 'to-device' ? 5000 : 800);
  }
});
