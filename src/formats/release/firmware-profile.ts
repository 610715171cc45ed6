/**
 * What the firmware of a product accepts when it is updated over the network. Unless a release says otherwise it is the demo firmware:
 * the demo of the two-step update, built with the defaults of ESP-IDF 5.1.
 */
import * as v from 'valibot';
import { DATA_HEADERS } from '../data/data-image.ts';

const count = (least: number, most: number): v.GenericSchema<number> =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));

const ProfileSchema = v.strictObject({
  /** `two-step`: data begin with the 32-byte header. `none`: the payload is taken as it is (ESP-IDF 5.5 and later). */
  dataHeader: v.optional(v.picklist(DATA_HEADERS), 'two-step'),
  /** Most characters of an update URL. */
  urlLimit: v.optional(count(16, 8192), 255),
  /** Whether the firmware decodes `%20` and the like in an update URL. */
  urlDecoding: v.optional(v.picklist(['raw', 'percent']), 'raw'),
  /** Most bytes of all headers of a request to the board. */
  headerLimit: v.optional(count(128, 65_536), 512),
  /** Bytes that the firmware asks for in one request of a download; 0 when it takes the file in one. */
  rangeSize: v.optional(count(0, 0x100_0000), 65_536),
  /** Whether the next range comes over the same connection. */
  keepAlive: v.optional(v.boolean(), false),
  /** Seconds that a new app is on trial before it confirms itself, when it is built with app rollback; 0 without. */
  trialSeconds: v.optional(count(0, 3600), 0),
  /** What `GET /` answers: the status page of the demo firmware, or nothing that can be read. */
  indexPage: v.optional(v.picklist(['seed', 'none']), 'seed'),
});

/** Any selection of the keys; the others are those of the demo firmware. An empty list would pass for an object without keys. */
export const FirmwareProfileSchema = v.pipe(
  v.custom<v.InferInput<typeof ProfileSchema>>((value) => !Array.isArray(value), 'Expected Object but received Array'),
  ProfileSchema,
);

export type FirmwareProfile = v.InferOutput<typeof FirmwareProfileSchema>;

export const SEED_FIRMWARE: FirmwareProfile = v.parse(FirmwareProfileSchema, {});
