/** A station with boards that are made up, in modelled time, tried without a socket. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BoardView, type PlanView, type ReleaseView, type StartRequest, type UpdateView } from '#api.ts';
import { sleep } from '#clock.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { prepareRelease } from '#formats/release/make-release.ts';
import { ModelClock } from '#model-clock.ts';
import { type Choice, failedAttempt } from '#workflows/update-state.ts';
import { createStation, type Station, type StationOptions } from '../../../src/station/station.ts';
import { makeRelease } from '../../support/releases.ts';
import { row } from '../../workflows/boards.ts';
import { FakeLan } from './fake-lan.ts';

const TABLE = [
  row('nvs', [1, 2], [0x9000, 0x6000]),
  row('otadata', [1, 0], [0xf000, 0x2000]),
  row('ota_0', [0, 0x10], [0x2_0000, 0x8_0000]),
  row('ota_1', [0, 0x11], [0xa_0000, 0x8_0000]),
];

/** A release file of that version; its data begin with it. */
export function releaseFile(version: string, { trialSeconds = 0, project = 'voice_box' } = {}): Uint8Array {
  const release = makeRelease({
    ...{ chip: 'esp32', kind: 'idf', partitions: TABLE, appSize: 0x2_4000, project, version, idf: 'v5.2' },
  });
  const payload = new Uint8Array(0x2_8000).fill(version.charCodeAt(0));
  payload.set(new TextEncoder().encode(`data ${version}`));
  const data = { name: 'voices.bin', bytes: payload, layout: 'raw' } as const;
  const prepared = prepareRelease(release, { product: 'Voice box', version, data });
  const profile = prepared.firmwareProfile && { firmwareProfile: { ...prepared.firmwareProfile, trialSeconds } };
  return encodeReleaseFile({ ...prepared, ...profile });
}

export interface Answer<T = unknown> {
  status: number;
  body: T;
  headers: Record<string, string | string[] | number | undefined>;
}

export interface Asking {
  body?: unknown;
  headers?: Record<string, string>;
  /** Without what a page of the station's own says by itself. */
  bare?: boolean;
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export class StationRig {
  readonly clock = new ModelClock();
  readonly data = mkdtempSync(join(tmpdir(), 'twostep-station-'));
  readonly lan = new FakeLan(this.clock);
  readonly said: string[] = [];
  station!: Station;
  #cookie: string | undefined;
  readonly #options: Partial<StationOptions>;

  constructor(options: Partial<StationOptions> = {}) {
    this.#options = options;
  }

  static async start(options: Partial<StationOptions> = {}): Promise<StationRig> {
    const rig = new StationRig(options);
    await rig.open();
    return rig;
  }

  /** Starts the station, or starts it again. */
  async open(lan: FakeLan = this.lan): Promise<void> {
    this.station = await createStation({
      data: this.data,
      version: '9.9.9',
      clock: this.clock,
      now: () => 1_700_000_000_000 + this.clock.now(),
      network: lan,
      files: lan,
      door: { host: '127.0.0.1' },
      log: (line) => this.said.push(line),
      ...this.#options,
    });
  }

  async end(): Promise<void> {
    await this.station.close();
    rmSync(this.data, { recursive: true, force: true });
  }

  async session(): Promise<void> {
    const { headers } = await this.ask('POST', '/api/session');
    this.#cookie = String(headers['set-cookie']).split(';')[0];
  }

  async ask<T>(method: Method, url: string, { body, headers = {}, bare = false }: Asking = {}): Promise<Answer<T>> {
    const own = bare ? {} : { origin: 'http://localhost', ...(this.#cookie && { cookie: this.#cookie }) };
    const isFile = body instanceof Uint8Array;
    const type = body === undefined ? {} : { 'content-type': isFile ? 'application/octet-stream' : 'application/json' };
    const answer = await this.station.server.inject({
      method,
      url,
      headers: { host: 'localhost', ...own, ...type, ...headers },
      ...(body !== undefined && { payload: isFile ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const text = answer.body;
    const isJson = String(answer.headers['content-type']).includes('json');
    return { status: answer.statusCode, body: (isJson ? JSON.parse(text) : text) as T, headers: answer.headers };
  }

  /** The body of an answer that must be a good one. */
  async get<T>(method: Method, url: string, body?: unknown): Promise<T> {
    const answer = await this.ask<T>(method, url, body === undefined ? {} : { body });
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  upload(version: string, options?: Parameters<typeof releaseFile>[1]): Promise<ReleaseView> {
    return this.get('POST', `/api/releases?name=voice-${version}.zip`, releaseFile(version, options));
  }

  addBoard(address: string): Promise<BoardView> {
    return this.get('POST', '/api/boards', { address });
  }

  plan(release: string, ...boards: string[]): Promise<PlanView[]> {
    return this.get('POST', '/api/updates/plan', { release, boards });
  }

  async startUpdate(wish: StartRequest): Promise<UpdateView[]> {
    await this.get('POST', '/api/boards-listener', { open: true });
    return this.get('POST', '/api/updates', { consents: ['no-way-back'], ...wish });
  }

  update(id: string): Promise<UpdateView> {
    return this.get('GET', `/api/updates/${id}`);
  }

  /** Answers the failure that the run stands at. */
  async decide(id: string, choice: Choice): Promise<UpdateView> {
    const after = failedAttempt((await this.update(id)).state);
    return this.get('POST', `/api/updates/${id}/decision`, { choice, after });
  }

  /** Lets time pass until it is so. */
  async until(id: string, isSo: (update: UpdateView) => boolean): Promise<UpdateView> {
    for (let seconds = 0; seconds < 3600; seconds++) {
      const update = await this.update(id);
      if (isSo(update)) return update;
      await this.pass(1000);
    }
    throw new Error(`It did not come to that: ${JSON.stringify((await this.update(id)).state.position)}`);
  }

  /** Lets so many milliseconds pass, with all that they bring about. */
  async pass(ms: number): Promise<void> {
    await this.clock.run(sleep(this.clock, ms));
  }
}

export const isEnded = ({ state }: UpdateView): boolean => state.position.at === 'ended';
export const at =
  (name: UpdateView['state']['position']['at']) =>
  ({ state }: UpdateView): boolean =>
    state.position.at === name;
