/** What the seed firmware can be built with: versions of ESP-IDF and settings that a client over the network can tell apart. */
import { type HttpLimits } from './http-request.ts';
import { type HttpsOtaTraits } from './https-ota.ts';

export interface SeedOptions {
  readonly ota: HttpsOtaTraits;
  readonly limits: HttpLimits;
  /** App and boot loader are built with app rollback. */
  readonly rollback: boolean;
  /** Milliseconds from its start on the network until an app on trial confirms itself. `never`: the next restart goes back. */
  readonly confirmAfter: number | 'never';
  /**
   * `two-step`: everything is downloaded as an app, so that data need their header. `none`: the firmware looks at the first bytes; what
   * is no app image is written unchecked, as ESP-IDF 5.5 and later allow it.
   */
  readonly dataForm: 'two-step' | 'none';
  /** `stdin`: asks for them on the console at each start (`EXAMPLE_WIFI_SSID_PWD_FROM_STDIN`). */
  readonly credentials: 'compiled-in' | 'stdin';
  /**
   * Tries to join before it gives up: at its start it then restarts, later it stays off the network (`EXAMPLE_WIFI_CONN_MAX_RETRY`, 6
   * in ESP-IDF 5). Infinite unless told otherwise: the author of a product would not leave it so.
   */
  readonly joinTries: number;
  /** Port of the HTTP server. */
  readonly port: number;
}

const IDF_5_1: SeedOptions = {
  ota: {
    block: 1024,
    checksChipId: true,
    checksRevision: false,
    erasesSectorTooMany: true,
    hidesBootFailure: true,
    bulkErase: false,
    allowsHttp: true,
    namesErrno: true,
  },
  limits: { uri: 512, headers: 512 },
  rollback: false,
  confirmAfter: 0,
  dataForm: 'two-step',
  credentials: 'compiled-in',
  joinTries: Number.POSITIVE_INFINITY,
  port: 80,
};

const IDF_4_4: SeedOptions = { ...IDF_5_1, ota: { ...IDF_5_1.ota, block: 289 } };

const IDF_5_5: SeedOptions = {
  ...IDF_5_1,
  ota: {
    ...IDF_5_1.ota,
    checksRevision: true,
    erasesSectorTooMany: false,
    hidesBootFailure: false,
    namesErrno: false,
  },
  limits: { uri: 512, headers: 1024 },
};

/** The builds by name. `seed` is the one that a user has who follows its README: ESP-IDF 5.1. */
export const SEED_BUILDS = {
  seed: IDF_5_1,
  'seed-4.4.0': { ...IDF_4_4, ota: { ...IDF_4_4.ota, checksChipId: false } },
  'seed-4.4': IDF_4_4,
  'seed-5.1': IDF_5_1,
  'seed-5.5': IDF_5_5,
  'seed-5.5-rollback': { ...IDF_5_5, rollback: true, confirmAfter: 3000 },
  'seed-5.5-never-confirms': { ...IDF_5_5, rollback: true, confirmAfter: 'never' },
  'seed-5.5-raw-data': { ...IDF_5_5, dataForm: 'none' },
  'seed-as-shipped': { ...IDF_5_1, ota: { ...IDF_5_1.ota, allowsHttp: false } },
} as const satisfies Record<string, SeedOptions>;

export type SeedBuild = keyof typeof SEED_BUILDS;
