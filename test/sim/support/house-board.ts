/** A board with the house firmware in ota_0, booted on a bench. */
import { chipByName } from '#formats/chips.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { type NvsEntry } from '#formats/nvs/nvs.ts';
import { wifiEntries } from '#formats/nvs/wifi-credentials.ts';
import { type HouseFirmware } from '#sim/firmware/house-firmware.ts';
import { type SimNetwork } from '#sim/machine.ts';
import { BootBench } from './boot-bench.ts';
import { appFor, flashWith, MB, tableOf } from './boot-flash.ts';

export const SSID = 'Workshop';
export const PASSWORD = 'correct horse';
export const NETWORK: SimNetwork = { accessPoint: { ssid: SSID, password: PASSWORD } };
const OWN_STORE = { kind: 'namespace', namespace: 'wifi', ssidKey: 'ssid', passwordKey: 'password' } as const;

export const nvsWith = (entries: readonly NvsEntry[]): Uint8Array => encodeNvs(entries, 0x4000);
export const credentials = (password = PASSWORD, ssid = SSID): Uint8Array =>
  nvsWith(wifiEntries(OWN_STORE, { ssid, password }));
export const dataImage = (payload: string, chip = 'esp32'): Uint8Array =>
  packDataImage(new TextEncoder().encode(payload), { chip: chipByName(chip)!, slotSize: MB });

interface Setup {
  chip?: string;
  content?: Record<string, Uint8Array>;
  partitions?: ReturnType<typeof tableOf>;
  network?: SimNetwork;
  flash?: Uint8Array;
  ms?: number;
  rollback?: boolean;
}

/** A board with an app in ota_0, booted. */
export async function bootHouse({
  chip = 'esp32',
  content = {},
  partitions = tableOf(),
  network = NETWORK,
  flash,
  ms = 30_000,
  rollback,
}: Setup = {}) {
  const image = flash ?? flashWith({ chip, partitions, content: { ota_0: appFor(chip), ...content } });
  const traits = rollback === undefined ? {} : { traits: { rollback } };
  const bench = await new BootBench({ chip, flash: image, network, ...traits }).run(ms);
  const { state } = (bench.program?.app ?? { state: undefined }) as HouseFirmware;
  return { bench, state, lines: bench.lines.map((line) => line.replace(/^([EWI]) \(…\) /, '$1 ')) };
}
