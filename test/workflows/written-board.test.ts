import { sha256 } from '@noble/hashes/sha2.js';
import { expect, test } from 'vitest';
import { type BoardIdentity } from '#device/identify.ts';
import { toHex } from '#formats/bytes.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { writtenBoard, type WrittenBoard } from '#workflows/written-board.ts';
import { APP, type BoardLayout, dataImage, MIB, payload, readBoard, sample, swappedBoard } from './boards.ts';

const MAC = '24:0A:C4:00:00:07';
const PASSWORD = 'correct horse';
const NEW_DATA = payload(70_000, 'voices 2.5\0\0\0\0\0\0');
const digest = (image: Uint8Array): string => toHex(sha256(image));
const APP_HELD = { role: 'app', size: MIB, version: '1.0.0', sha256: digest(APP) } as const;

async function written(
  layout: BoardLayout,
  options: ProvisionOptions = {},
  identity: Partial<BoardIdentity> = { mac: MAC },
): Promise<WrittenBoard | undefined> {
  const read = await readBoard(layout);
  const board: BoardState = { ...read, identity: { ...read.identity, ...identity } };
  const plan = planProvision(sample('idf-build'), board, options);
  return writtenBoard({ board, plan, release: 'Voice box', address: '192.168.1.57' });
}

test.each<{ what: string; layout: BoardLayout; options: ProvisionOptions; holds: Partial<WrittenBoard> }>([
  {
    what: 'a new board with data',
    layout: {},
    options: { data: { name: 'voices.bin', bytes: NEW_DATA } },
    holds: {
      running: 'PA',
      slots: [
        { slot: 'PA', ...APP_HELD },
        {
          ...{ slot: 'PB', role: 'data', size: MIB, project: 'Voice box', version: 'voices 2.5' },
          sha256: digest(dataImage('esp32', NEW_DATA)),
        },
      ],
    },
  },
  {
    what: 'a new board without',
    layout: {},
    options: {},
    holds: {
      running: 'PA',
      slots: [
        { slot: 'PA', ...APP_HELD },
        { slot: 'PB', role: 'unknown', size: MIB },
      ],
    },
  },
  {
    what: 'a swapped board that keeps its data',
    layout: swappedBoard(),
    options: {},
    holds: {
      running: 'PB',
      slots: [
        { slot: 'PA', role: 'data', size: MIB, version: 'old data 1' },
        { slot: 'PB', ...APP_HELD },
      ],
    },
  },
])('$what: what lies in its slots, by its MAC in the one spelling', async ({ layout, options, holds }) => {
  const held = await written(layout, options);
  expect(held).toMatchObject({ mac: MAC.toLowerCase(), chip: 'esp32', address: '192.168.1.57', ...holds });
});

test('an app that is filled up over a copy of the settings is known by its own digest', async () => {
  const held = await written({}, { wifi: { ssid: 'workshop', password: PASSWORD } });
  expect(held?.slots[0]).toMatchObject(APP_HELD);
});

test('no secret is in it', async () => {
  const held = await written({}, { wifi: { ssid: 'workshop', password: PASSWORD } });
  expect(JSON.stringify(held)).not.toContain(PASSWORD);
  expect(JSON.stringify(held)).not.toContain('workshop');
});

test('a board whose MAC cannot be read is none that could be told apart', async () => {
  expect(await written({}, {}, { mac: undefined })).toBeUndefined();
});
