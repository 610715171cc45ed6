/**
 * What the house firmware serves once it is online: the seed's page in the same form, and updates as a well-behaved product takes them.
 * One answer to a request, URLs of up to 8 KB, percent-encoded or not, any labels of the slots, data with the header or without, one
 * update at a time.
 */
import { type Partition } from '#formats/partition-table.ts';
import { type LogLine } from '#sim/boot/log-line.ts';
import { type StartedApp } from '#sim/boot/started-app.ts';
import { type Machine } from '#sim/machine.ts';
import { type Lan } from '#sim/network/lan.ts';
import { type AppConsole } from './app-console.ts';
import { dataSlotOf } from './house-slots.ts';
import { type HttpRequest, queryValue } from './http-request.ts';
import { type HttpReply, HttpServer } from './http-server.ts';
import { runOtaTask } from './ota-task.ts';
import { SEED_BUILDS } from './seed-options.ts';
import { pageBytes, shownBytes } from './seed-page.ts';
import { Task } from './task.ts';

export interface HouseNetworkOptions {
  readonly machine: Machine;
  readonly app: StartedApp;
  readonly partitions: readonly Partition[];
  readonly console: AppConsole;
  readonly lan: Lan;
  readonly port: number;
}

const TAG = 'house';
const URL_LIMIT = 8192;
/** Three characters for each one that is encoded. */
const LIMITS = { uri: 3 * URL_LIMIT + 64, headers: 8192 };

export class HouseNetwork {
  readonly #options: HouseNetworkOptions;
  readonly #task: Task;
  #updating = false;

  constructor(options: HouseNetworkOptions) {
    this.#options = options;
    const { clock } = options.machine;
    this.#task = new Task(clock);
    const handlers = {
      '/': (_request: HttpRequest, reply: HttpReply) => reply.send(this.#page()),
      '/ota': ({ query }: HttpRequest, reply: HttpReply) => this.#ota(query, reply),
    };
    const log = (line: LogLine): void => void options.console.log(line);
    new HttpServer({ clock, lan: options.lan, port: options.port, limits: LIMITS, handlers, log });
  }

  stop(): void {
    this.#task.stop();
    this.#options.lan.close();
  }

  #page(): Uint8Array {
    const { machine, app, partitions } = this.#options;
    const { description } = app.image;
    const data = dataSlotOf(partitions, app.partition);
    return pageBytes({
      appLabel: app.partition.name,
      ...(description ? { app: { project: description.projectName, version: description.version } } : {}),
      ...(data ? { data: { label: data.name, bytes: shownBytes(machine.flash.bytes, data) } } : {}),
    });
  }

  #ota(query: string | undefined, reply: HttpReply): void {
    const url = decoded(queryValue(query ?? '', 'url'));
    if (url === undefined || !/^http:\/\//i.test(url)) return reply.sendError(400, 'url is missing or none');
    if (url.length > URL_LIMIT) return reply.sendError(414);
    if (this.#updating) return reply.sendError(409, 'An update is running');
    void this.#update(url);
    reply.send('updating...');
  }

  async #update(url: string): Promise<void> {
    const { machine, app, partitions, lan, console } = this.#options;
    const { flash, chip } = machine;
    const task = this.#task;
    this.#updating = true;
    const { chipRevision, rollback } = app;
    const done = await runOtaTask({
      tag: TAG,
      task,
      lan,
      url,
      traits: SEED_BUILDS['seed-5.5'].ota,
      dataForm: 'none',
      keepsConnection: true,
      context: { flash, partitions, chipId: chip.imageChipId, chipRevision, rollback },
      running: app.partition,
      say: async (...lines) => {
        for (const line of lines) await task.sleep(console.log(line));
      },
    });
    this.#updating = false;
    if (done) machine.reset('software');
  }
}

/** Percent-encoding taken back; what is none stays as it is. */
function decoded(value: string | undefined): string | undefined {
  try {
    return value && decodeURIComponent(value);
  } catch {
    // A URL that was sent raw and holds a percent sign of its own.
    return value;
  }
}
