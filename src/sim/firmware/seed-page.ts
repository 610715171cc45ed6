/** The page and the query of the seed firmware (main/two_step_http_ota.c), byte for byte. */
import { decodeAppDescription } from '#formats/app-image.ts';
import { concatBytes } from '#formats/bytes.ts';
import { type Partition, PartitionType } from '#formats/partition-table.ts';
import { type StartedApp } from '#sim/boot/started-app.ts';
import { canMap, DATA_OFFSET, SHOWN_BYTES } from './house-slots.ts';
import { queryValue } from './http-request.ts';

const TITLE = '**************** app 0 *****************';

/** What the page shows of an app slot. */
export interface PageFacts {
  readonly appLabel: string;
  /** Missing without a description. */
  readonly app?: { readonly project: string; readonly version: string };
  /** The first ten bytes; cut at a NUL, and otherwise as they are. */
  readonly data?: { readonly label: string; readonly bytes: Uint8Array };
}

/** `Partitoin` is what it says. */
export function pageBytes({ appLabel, app, data }: PageFacts): Uint8Array {
  const appPart = app ? `App Partitoin: ${appLabel}<br>project: ${app.project}<br>Version: ${app.version}` : '';
  const end = data?.bytes.indexOf(0) ?? -1;
  return concatBytes(
    new TextEncoder().encode(`${TITLE}<br><br><br>${appPart}`),
    ...(data
      ? [
          new TextEncoder().encode(`<br><br>Data Partition: ${data.label}<br>data: `),
          end < 0 ? data.bytes : data.bytes.subarray(0, end),
        ]
      : []),
  );
}

/** The page of a board whose slots are labelled `ota_0` and `ota_1`; `unmapped` when the data slot is too large to be shown. */
export function seedPage(
  flash: Uint8Array,
  partitions: readonly Partition[],
  started: StartedApp,
): Uint8Array | 'unmapped' {
  const running = started.partition;
  const description = decodeAppDescription(flash.subarray(running.offset, running.offset + running.size));
  const app = description && { project: description.projectName, version: description.version };
  const other = running.name === 'ota_0' ? 'ota_1' : 'ota_0';
  const slot = partitions.find(({ type, name }) => type === PartitionType.App && name === other);
  if (slot && !canMap(slot, started)) return 'unmapped';
  return pageBytes({
    appLabel: running.name,
    ...(app ? { app } : {}),
    ...(slot ? { data: { label: slot.name, bytes: shownBytes(flash, slot) } } : {}),
  });
}

/** The first ten bytes behind the data's header. */
export const shownBytes = (flash: Uint8Array, { offset }: Partition): Uint8Array =>
  flash.slice(offset + DATA_OFFSET, offset + DATA_OFFSET + SHOWN_BYTES);

/** Bytes of the buffer for the URL, with the NUL at its end. It is never cleared. */
const URL_BUFFER = 256;

/**
 * What becomes of the URL buffer. Nothing is decoded; a value that is too long is cut and, for the log alone, an error; without one the
 * buffer keeps what it held.
 */
export function takeUrl(buffer: string, query: string | undefined): { buffer: string; log?: string } {
  if (!query) return { buffer };
  const value = queryValue(query, 'url');
  if (value === undefined) return { buffer, log: 'wrong query' };
  const cut = value.slice(0, URL_BUFFER - 1);
  return { buffer: cut, log: value.length < URL_BUFFER ? `OTA url = ${cut}` : 'wrong query' };
}
