/** The one command of the README on a real firmware: MicroPython, whose own table has only a factory row. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodePartitionTable, otaSlots } from '#formats/partition-table.ts';
import { FIRMWARE_FILE, hasFirmware } from '../support/real-firmware.ts';
import { payload } from '../workflows/boards.ts';
import { runCli } from './run-cli.ts';

test.skipIf(!hasFirmware)(
  'MicroPython gets a proposed two-slot table, data and credentials, and comes up (skipped without the firmware beside the checkout)',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'twostep-real-'));
    const board = join(folder, 'board.bin');
    const data = join(folder, 'voices.bin');
    writeFileSync(data, payload(900_000));
    const args = ['flash', FIRMWARE_FILE, '--port', `virtual:esp32@${board}`, '--data', data, '--json'];
    const wifi = ['--wifi-ssid', 'workshop', '--wifi-password-stdin'];
    const { code, records } = await runCli([...args, ...wifi], { stdin: 'two steps ahead\n' });
    expect(records.at(-1)).toMatchObject({ event: 'done', address: '192.168.1.57' });
    expect(code).toBe(0);

    const flash = new Uint8Array(readFileSync(board));
    const firmware = new Uint8Array(readFileSync(FIRMWARE_FILE));
    const [pa, pb] = otaSlots(decodePartitionTable(flash.subarray(0x8000, 0x8c00)).partitions);
    const app = firmware.subarray(0xf000);
    expect(Buffer.compare(flash.subarray(pa!.offset, pa!.offset + app.length), app)).toBe(0);
    expect(Buffer.compare(flash.subarray(pb!.offset + 32, pb!.offset + 32 + 900_000), payload(900_000))).toBe(0);
    rmSync(folder, { recursive: true });
  },
);
