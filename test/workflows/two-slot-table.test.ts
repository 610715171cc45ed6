import fc from 'fast-check';
import { expect, test } from 'vitest';
import { verifyPartitions } from '#formats/partition-checks.ts';
import { DataSubtype, otaSlots, type Partition, PartitionType } from '#formats/partition-table.ts';
import { proposeTwoSlotTable, slotSizeForData } from '#workflows/two-slot-table.ts';

const MIB = 0x10_0000;

const nvs: Partition = { name: 'nvs', type: 1, subtype: DataSubtype.Nvs, offset: 0x9000, size: 0x6000, flags: 0 };
const phy: Partition = { name: 'phy_init', type: 1, subtype: DataSubtype.Phy, offset: 0xf000, size: 0x1000, flags: 0 };
const storage: Partition = { name: 'storage', type: 1, subtype: 0x82, offset: 0x20_0000, size: 0x4_0000, flags: 0 };

const wishes = { flashSize: 4 * MIB, tableOffset: 0x8000, appSize: 1_672_976, dataSize: 100_000, keep: [nvs, phy] };

test('a factory-only table of 4 MB becomes two equal slots, with otadata between settings and slots', () => {
  expect(proposeTwoSlotTable(wishes)).toEqual([
    nvs,
    phy,
    { name: 'otadata', type: 1, subtype: 0, offset: 0x1_0000, size: 0x2000, flags: 0 },
    { name: 'ota_0', type: 0, subtype: 0x10, offset: 0x2_0000, size: 0x1f_0000, flags: 0 },
    { name: 'ota_1', type: 0, subtype: 0x11, offset: 0x21_0000, size: 0x1f_0000, flags: 0 },
  ]);
});

test('data larger than a half gets the larger slot, and what is over is shared', () => {
  const table = proposeTwoSlotTable({ ...wishes, flashSize: 8 * MIB, dataSize: 5 * MIB }) ?? [];
  const [pa, pb] = otaSlots(table);
  expect(pb!.size).toBeGreaterThanOrEqual(slotSizeForData(5 * MIB));
  expect(pa!.size).toBeGreaterThanOrEqual(1_672_976);
  expect(pa!.offset + pa!.size).toBe(pb!.offset);
  expect(pb!.offset + pb!.size).toBe(8 * MIB);
});

test('what does not fit is not proposed', () => {
  expect(proposeTwoSlotTable({ ...wishes, dataSize: 3 * MIB })).toBeUndefined();
  expect(proposeTwoSlotTable({ ...wishes, flashSize: MIB })).toBeUndefined();
});

test('a board without NVS gets one', () => {
  const table = proposeTwoSlotTable({ ...wishes, keep: [] }) ?? [];
  expect(table.filter(({ type, subtype }) => type === PartitionType.Data && subtype === DataSubtype.Nvs)).toHaveLength(
    1,
  );
});

test('a row in the middle stays where it is and the slots go round it', () => {
  const table = proposeTwoSlotTable({ ...wishes, keep: [nvs, storage] }) ?? [];
  expect(table).toContainEqual(storage);
  const [pa, pb] = otaSlots(table);
  expect(pa!.size).toBeGreaterThanOrEqual(1_672_976);
  expect(pb!.size).toBeGreaterThanOrEqual(slotSizeForData(100_000));
});

test('an app or otadata row of the release never takes room in the proposal', () => {
  const factory: Partition = { name: 'factory', type: 0, subtype: 0, offset: 0x1_0000, size: 0x1f_0000, flags: 0 };
  expect(proposeTwoSlotTable({ ...wishes, keep: [nvs, phy, factory] })).toEqual(proposeTwoSlotTable(wishes));
});

test('every proposal keeps the rules of ESP-IDF, keeps the rows, and holds app and data', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(2, 4, 8, 16, 32),
      fc.integer({ min: 1000, max: 6 * MIB }),
      fc.integer({ min: 0, max: 12 * MIB }),
      fc.subarray([nvs, phy, storage]),
      fc.constantFrom(0x8000, 0x9000, 0xc000, 0x1_0000),
      (mebibytes, appSize, dataSize, rows, tableOffset) => {
        const flashSize = mebibytes * MIB;
        const keep = rows.filter(({ offset, size }) => offset >= tableOffset + 0x1000 && offset + size <= flashSize);
        const table = proposeTwoSlotTable({ flashSize, tableOffset, appSize, dataSize, keep });
        if (!table) return;
        expect(verifyPartitions(table, { tableOffset, flashSize }).errors).toEqual([]);
        for (const row of keep) expect(table).toContainEqual(row);
        const [pa, pb] = otaSlots(table);
        expect(pa!.size).toBeGreaterThanOrEqual(appSize);
        expect(pb!.size).toBeGreaterThanOrEqual(slotSizeForData(dataSize));
      },
    ),
  );
});
